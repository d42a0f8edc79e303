package clientfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/infra/clientfile"
)

func client() clientfile.Client {
	return clientfile.Client{URL: "http://127.0.0.1:8480", APIKey: "hk_mfrggzdf_secret"}
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	path := clientfile.Path(filepath.Join(t.TempDir(), "handoff", "master.key"))
	for _, url := range []string{"http://127.0.0.1:1", "http://127.0.0.1:2"} {
		c := client()
		c.URL = url
		if err := clientfile.Write(path, c); err != nil {
			t.Fatal(err)
		}
		got, err := clientfile.Read(path)
		if err != nil || got != c {
			t.Errorf("Read = %v, %v, want %v", got, err, c)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %#o, want 0600", info.Mode().Perm())
	}
	all, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(all) != 1 {
		t.Errorf("the directory holds %v, %v, want the file alone", all, err)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		mode    fs.FileMode
		want    string
	}{
		"a file that the group may read": {`{"url": "http://h", "api_key": "k"}`, 0o640, "client-file-open"},
		"a file that everybody may read": {`{"url": "http://h", "api_key": "k"}`, 0o604, "client-file-open"},
		"something else":                 {"hk_abc", 0o600, "client-file-invalid"},
		"an unknown field":               {`{"url": "http://h", "api_key": "k", "more": 1}`, 0o600, "client-file-invalid"},
		"a missing key":                  {`{"url": "http://h"}`, 0o600, "client-file-invalid"},
		"more than one value":            {`{"url": "http://h", "api_key": "k"}{}`, 0o600, "client-file-invalid"},
		"a huge file":                    {`{"url": "http://h", "api_key": "` + strings.Repeat("k", 20_000) + `"}`, 0o600, "client-file-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "client.json")
			if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			if runtime.GOOS == "windows" && c.want == "client-file-open" {
				t.Skip("Windows has no such bits")
			}
			if _, err := clientfile.Read(path); !fault.Is(err, c.want) {
				t.Errorf("error = %v, want %s", err, c.want)
			}
		})
	}
}

func TestReadTellsThatThereIsNone(t *testing.T) {
	t.Parallel()
	if _, err := clientfile.Read(filepath.Join(t.TempDir(), "client.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error = %v, want fs.ErrNotExist", err)
	}
}

func TestTheKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, client()); strings.Contains(s, "secret") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
}
