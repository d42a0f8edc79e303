// Package arch holds the sources of Handoff to the rules of the house: which
// folder may import which, what only a main does, how long and how documented
// things are. It reads the sources themselves, so that it needs no toolchain
// and sees files of every platform.
package arch_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

const module = "handoff/"

// source is one Go file.
type source struct {
	*ast.File
	path string // from the root, with slashes
	dir  string
	fset *token.FileSet
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }
func (s source) isMain() bool { return s.Name.Name == "main" }

// root is the first folder of a path.
func root(p string) string {
	first, _, _ := strings.Cut(p, "/")
	return first
}

// within reports whether a folder is another one or below it.
func within(dir, parent string) bool { return dir == parent || strings.HasPrefix(dir, parent+"/") }

// found says what is wrong and where.
func (s source) found(at token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.path, s.line(at), fmt.Sprintf(format, args...))
}

func (s source) line(at token.Pos) int { return s.fset.Position(at).Line }

// imported is a package of Handoff or another that a file imports.
type imported struct {
	*ast.ImportSpec
	path string
}

func (s source) imports() (all []imported) {
	for _, spec := range s.Imports {
		all = append(all, imported{spec, strings.Trim(spec.Path.Value, `"`)})
	}
	return all
}

// tree is a repository.
type tree struct {
	fs.FS
	sources []source
}

// read parses every Go file of a repository. Folders that the go tool ignores,
// and modules of their own, are left out.
func read(repo fs.FS) (*tree, error) {
	t := &tree{FS: repo}
	fset := token.NewFileSet()
	err := fs.WalkDir(repo, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata" || exists(repo, p+"/go.mod")):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".go":
			return nil
		}
		text, err := fs.ReadFile(repo, p)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		t.sources = append(t.sources, source{file, p, path.Dir(p), fset})
		return nil
	})
	return t, err
}

func exists(repo fs.FS, name string) bool {
	_, err := fs.Stat(repo, name)
	return err == nil
}

// packages returns the files of each folder.
func (t *tree) packages() map[string][]source {
	all := map[string][]source{}
	for _, s := range t.sources {
		all[s.dir] = append(all[s.dir], s)
	}
	return all
}

// each collects what a look at every file finds.
func (t *tree) each(look func(source) []string) (all []string) {
	for _, s := range t.sources {
		all = append(all, look(s)...)
	}
	return all
}

// calls returns where a file names a function of a package of the standard
// library, whether it calls it or hands it on.
func (s source) calls(pkg string, names ...string) (all []*ast.SelectorExpr) {
	name := ""
	for _, i := range s.imports() {
		if i.path == pkg {
			name = path.Base(pkg)
			if i.Name != nil {
				name = i.Name.Name
			}
		}
	}
	ast.Inspect(s.File, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && name != "" && x.Name == name && slices.Contains(names, sel.Sel.Name) {
			all = append(all, sel)
		}
		return true
	})
	return all
}
