package keyring_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/infra/keyring"
	"handoff/infra/keyring/sqlitekeys"
)

func TestMasterKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	path := keyring.DefaultMasterKeyPath(filepath.Join(base, "config"))
	if want := filepath.Join(base, "config", "handoff", "master.key"); path != want {
		t.Errorf("path = %s, want %s", path, want)
	}
	keys := make([]keyring.MasterKey, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			k, err := keyring.LoadOrCreateMasterKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = k
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || k == (keyring.MasterKey{}) {
			t.Fatal("not all got the same key")
		}
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("files = %v, %v, want the key alone", files, err)
	}
	for _, c := range []struct {
		path string
		mode os.FileMode
	}{{path, 0o600}, {filepath.Dir(path), 0o700}, {filepath.Join(base, "config"), 0o700}} {
		if info, err := os.Stat(c.path); err != nil || info.Mode().Perm() != c.mode {
			t.Errorf("%s: %v, %v, want mode %#o", c.path, info.Mode(), err, c.mode)
		}
	}
}

func TestLoadMasterKeyRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size int
		mode os.FileMode
		want string
	}{
		"a file that the group may read":   {32, 0o640, "chmod 600"},
		"a file that everybody may read":   {32, 0o604, "chmod 600"},
		"a file that everybody may change": {32, 0o602, "chmod 600"},
		"an empty file":                    {0, 0o600, "has 0 bytes"},
		"a short file":                     {31, 0o600, "has 31 bytes"},
		"a long file":                      {33, 0o600, "from a backup"},
		"a directory":                      {-1, 0o700, "is no file"},
		"no file":                          {-2, 0o600, "HANDOFF_KEY_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "master.key")
			switch c.size {
			case -2:
			case -1:
				if err := os.Mkdir(path, c.mode); err != nil {
					t.Fatal(err)
				}
			default:
				if err := os.WriteFile(path, make([]byte, c.size), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, c.mode); err != nil { // past the umask
					t.Fatal(err)
				}
			}
			if _, err := keyring.LoadMasterKey(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want it to contain %q", err, c.want)
			}
			if c.size != -2 {
				if _, err := keyring.LoadOrCreateMasterKey(path); err == nil {
					t.Error("LoadOrCreateMasterKey took it")
				}
			}
		})
	}
}

func TestLoadOrCreateMasterKeyInABadPlace(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.LoadOrCreateMasterKey(filepath.Join(file, "below", "master.key")); err == nil {
		t.Error("a key was made below a file")
	}
}

func TestMasterKeyForAKeyringThatExists(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir, path := filepath.Join(base, "data"), filepath.Join(base, "master.key")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	made, err := keyring.MasterKeyFor(dir, path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := sqlitekeys.Open(t.Context(), dir, made, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := keyring.MasterKeyFor(dir, path); err != nil || again != made {
		t.Errorf("again: another key or %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.MasterKeyFor(dir, path); err == nil || !strings.Contains(err.Error(), "put back") {
		t.Errorf("error = %v, want what to do", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a new master key was made beside a keyring that it can't open")
	}
}

func TestMasterKeyIsNotFormatted(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprintf("%v %+v %#v %x", master(t, 0xab), master(t, 0xab), master(t, 0xab), master(t, 0xab)); got != "[secret] [secret] [secret] [secret]" {
		t.Errorf("formatted = %q", got)
	}
	if _, err := keyring.NewMasterKey(bytes.Repeat([]byte{1}, 31)); err == nil {
		t.Error("a short master key was taken")
	}
}

func master(t testing.TB, seed byte) keyring.MasterKey {
	t.Helper()
	m, err := keyring.NewMasterKey(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
