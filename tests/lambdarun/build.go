package lambdarun

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build compiles a function's main package into a folder of its own below dir
// and returns the path of its bootstrap, the name that the runtimes
// provided.al2023 start. It is built as template.yaml has it built, for this
// machine unless env says otherwise, as in GOARCH=arm64.
func Build(ctx context.Context, dir, pkg string, env ...string) (string, error) {
	out := filepath.Join(dir, filepath.FromSlash(pkg), "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-tags=lambda.norpc", "-o", out, pkg)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return out, nil
}

// Dependencies returns the packages that a function's main package brings along.
func Dependencies(ctx context.Context, pkg string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-deps", "-tags=lambda.norpc", pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("list what %s needs: %w", pkg, err)
	}
	return strings.Fields(string(out)), nil
}
