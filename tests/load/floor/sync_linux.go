package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// sync writes the data of a file to the disk and of its metadata no more than is
// needed to read them.
func sync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
