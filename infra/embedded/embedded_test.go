package embedded_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/embedded"
)

func options(dir string) embedded.Options {
	return embedded.Options{Dir: filepath.Join(dir, "data"), KeyFile: filepath.Join(dir, "key", "master.key"), Tenant: "default", Now: time.Now}
}

func TestADataDirectoryHasOneWriterAtATime(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	first, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Dir.New {
		t.Error("the directory is not new")
	}
	if _, err := embedded.Open(t.Context(), o); !fault.Is(err, "data-directory-busy") {
		t.Errorf("error = %v, want data-directory-busy", err)
	}
	log, done, err := embedded.OpenLog(t.Context(), o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if last, err := log.Last(t.Context()); err != nil || last != 0 {
		t.Errorf("a reader beside the writer sees %d facts, %v, want none", last, err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if again.Dir.New {
		t.Error("a directory that was used is called new")
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestNothingInADataDirectoryIsForOthers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // where the bits mean nothing
	}
	o := options(t.TempDir())
	e, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	names, err := os.ReadDir(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		info, err := n.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, want it closed to others", n.Name(), info.Mode())
		}
	}
}

func TestADirectoryThatOthersMayEnterIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // where the bits mean nothing
	}
	o := options(t.TempDir())
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(t.Context(), o); !fault.Is(err, "data-directory-open") {
		t.Errorf("error = %v, want data-directory-open", err)
	}
}

func TestTheKeyOfAnotherDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	one, two := options(t.TempDir()), options(t.TempDir())
	for _, o := range []embedded.Options{one, two} {
		e, err := embedded.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	two.KeyFile = one.KeyFile
	if e, err := embedded.Open(t.Context(), two); err == nil {
		_ = e.Close()
		t.Error("a directory opened with another one's key")
	}
	two.KeyFile += ".none"
	if e, err := embedded.Open(t.Context(), two); err == nil {
		_ = e.Close()
		t.Error("a directory that was used opened with a new key")
	}
}
