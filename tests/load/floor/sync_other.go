//go:build !linux

package main

import "os"

// sync writes a file to the disk.
func sync(f *os.File) error { return f.Sync() }
