package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"handoff/infra/microsoft/simulation"
)

// writeExample writes the bot file of the example, and beside it the files that
// it names. What is there already stays: a file that says something else is an
// error, for it may be somebody's own.
func writeExample(path string, urls *simulation.URLs) error {
	base := strings.TrimSuffix(path, filepath.Ext(path))
	secret, application, snippet := base+".client-secret.txt", base+".application-secret.txt", base+".widget.html"
	beside := simulation.Beside{ClientSecret: filepath.Base(secret), ApplicationSecret: filepath.Base(application), EmbedCode: filepath.Base(snippet)}
	for _, f := range []struct{ path, text string }{
		{secret, simulation.InstallerSecret + "\n"},
		{application, simulation.RelaySecret + "\n"},
		{snippet, simulation.Snippet() + "\n"},
		{path, urls.BotFile(beside)},
	} {
		if err := writeNew(f.path, f.text); err != nil {
			return err
		}
	}
	return nil
}

// writeNew makes a file that only its owner may read.
func writeNew(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		there, err := os.ReadFile(path)
		if err != nil || string(there) != text {
			return usage("%s is there already and says something else; write to another file", path)
		}
		return nil
	}
	if err != nil {
		return asUsage(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
