// Package schema holds the JSON Schema of every fact in every version that was
// ever released: of its clear part, and of its private part, which has versions
// of its own. They are written by the tests of package events from the Go types
// and are for whoever reads the log or the bus without Go.
package schema

import (
	"embed"
	"fmt"
)

//go:embed *.json
var files embed.FS

// Clear returns the schema of a version of a fact's clear part, and whether
// there is one.
func Clear(fact string, version int) ([]byte, bool) { return read(ClearName(fact, version)) }

// Private returns the schema of a version of a fact's private part, and whether
// there is one.
func Private(fact string, version int) ([]byte, bool) { return read(PrivateName(fact, version)) }

// ClearName returns the file name of the schema of a clear part.
func ClearName(fact string, version int) string { return fmt.Sprintf("%s.v%d.json", fact, version) }

// PrivateName returns the file name of the schema of a private part.
func PrivateName(fact string, version int) string {
	return fmt.Sprintf("%s.private.v%d.json", fact, version)
}

// Names returns the file names of all schemas, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the directory was compiled in
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func read(name string) ([]byte, bool) {
	b, err := files.ReadFile(name)
	return b, err == nil
}
