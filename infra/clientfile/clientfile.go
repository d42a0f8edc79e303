// Package clientfile keeps what a command line needs to reach the server of the
// same machine: its URL and an administrator's key, in a file that only its
// owner may read, beside the master key.
package clientfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/durable"
)

const (
	name    = "client.json"
	maxSize = 16 << 10
)

// Client says where a server is and with which key to call it. Formatting one
// does not show the key.
type Client struct {
	URL    string `json:"url"`
	APIKey string `json:"api_key"`
}

// Format implements fmt.Formatter: no verb shows the key.
func (c Client) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "{%s %s…}", c.URL, identity.TokenPrefix)
}

// Path returns where the file is for the server whose master key is at keyFile.
func Path(keyFile string) string { return filepath.Join(filepath.Dir(keyFile), name) }

// Write replaces the file at path. It is there whole or not at all, on disk
// before Write returns, with mode 0600.
func Write(path string, c Client) (err error) {
	b, err := json.MarshalIndent(c, "", "  ") //nolint:gosec // the file exists to hold the key
	if err != nil {
		return fmt.Errorf("write client file: %w", err)
	}
	if err := durable.MakeDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make the directory of the client file: %w", err)
	}
	if err := durable.Replace(path, append(b, '\n')); err != nil {
		return fmt.Errorf("write client file %s: %w", path, err)
	}
	return nil
}

// Read returns what the file at path holds. Where there is no file the error is
// fs.ErrNotExist. A file that others may read is refused with a Forbidden fault
// client-file-open, one that can't be understood with an Unprocessable fault
// client-file-invalid.
func Read(path string) (Client, error) {
	f, err := os.Open(path)
	if err != nil {
		return Client{}, fmt.Errorf("read client file: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := check(path, f); err != nil {
		return Client{}, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return Client{}, fmt.Errorf("read client file %s: %w", path, err)
	}
	return parse(path, b)
}

// check looks at the open file, not at its path, which may change.
func check(path string, f fs.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at client file %s: %w", path, err)
	}
	if mode := info.Mode(); mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" { // where the bits mean nothing
		return fault.Newf(fault.Forbidden, "client-file-open",
			"Other users of this machine may read the key in %s (mode %#o). Close it to them: chmod 600 %s", path, mode.Perm(), path)
	}
	return nil
}

func parse(path string, b []byte) (Client, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var c Client
	err := dec.Decode(&c)
	if err != nil || len(b) > maxSize || c.URL == "" || c.APIKey == "" || dec.More() {
		return Client{}, fault.Newf(fault.Unprocessable, "client-file-invalid",
			`%s is no client file. It has {"url": …, "api_key": …}, and handoff serve writes it.`, path)
	}
	return c, nil
}
