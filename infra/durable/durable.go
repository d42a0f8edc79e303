// Package durable writes files and directories that are still there after a
// power cut: what a function returned nil for is on disk, its name included.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Replace writes the file at path, for its owner only (0600), whole or not at
// all. A file that is there is replaced.
func Replace(path string, data []byte) error {
	return write(path, data, os.Rename)
}

// Create is Replace, but fails with fs.ErrExist where there is a file: also
// with one that another process makes at the same time.
func Create(path string, data []byte) error {
	return write(path, data, os.Link) // a link, unlike renaming, replaces nothing
}

// Touch makes an empty file at path, for its owner only (0600), where there is
// none, for a program that would make it readable by others. SQLite gives its
// other files the mode of the first.
func Touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), Sync(filepath.Dir(path)))
}

// write makes a temporary file beside path and has put give it its name.
func write(path string, data []byte, put func(from, to string) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = put(f.Name(), path)
	}
	if e := os.Remove(f.Name()); !errors.Is(e, fs.ErrNotExist) { // renaming leaves nothing behind
		err = errors.Join(err, e)
	}
	return errors.Join(err, Sync(dir))
}

// MakeDir makes a directory, and what is missing above it, for its owner only
// (0700). One that is there is left as it is.
func MakeDir(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(dir); err == nil || parent == dir {
		return err
	}
	if err := MakeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return Sync(parent)
}

// Sync makes the names in a directory durable.
func Sync(dir string) error {
	if runtime.GOOS == "windows" { // which can't sync a directory
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
