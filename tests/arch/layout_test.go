package arch_test

import (
	"go/ast"
	"io/fs"
	"slices"
	"strings"
)

// The root folders are the five of the design, and what tools keep in folders
// with a dot.
func rootFolders(t *tree) (found []string) {
	entries, err := fs.ReadDir(t, ".")
	if err != nil {
		return []string{err.Error()}
	}
	want := []string{"domain", "events", "functions", "infra", "tests"}
	for _, e := range entries {
		if i := slices.Index(want, e.Name()); i >= 0 {
			want = slices.Delete(want, i, i+1)
		} else if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			found = append(found, e.Name()+" is no root folder")
		}
	}
	for _, missing := range want {
		found = append(found, "there is no root folder "+missing)
	}
	return found
}

// What handlers may import of infra: no adapters, only what they are written
// against.
var handlersMayImport = map[string]string{
	"infra/eventlog": "the contract of the log, and the loop over it",
	"infra/rulebook": "a cache in front of domain/routing, which does no I/O of its own",
	"infra/steps":    "what the three functions of connecting share: the loop over one step",
}

// The single program binds handlers to adapters in folders of its own, as a
// main does; they count as parts of that main.
const program = "functions/handoff"

func arrows(t *tree) []string {
	return t.each(func(s source) (found []string) {
		for _, i := range s.imports() {
			to, ours := strings.CutPrefix(i.path, module)
			if ours && !s.isTest() && !mayImport(s, to) {
				found = append(found, s.found(i.Pos(), "%s must not import %s", s.dir, to))
			}
		}
		return found
	})
}

func mayImport(s source, to string) bool {
	from := root(s.dir)
	switch {
	case from == "tests":
		return true
	case root(to) == "tests":
		return false
	case from == "events":
		return within(to, "events")
	case from == "domain":
		return root(to) == "domain" || root(to) == "events"
	case from == "infra":
		return root(to) != "functions"
	case s.isMain() || within(s.dir, program):
		return true
	}
	_, allowed := handlersMayImport[to]
	return allowed || root(to) == "domain" || root(to) == "events" || within(to, s.dir)
}

// Adapters and libraries that must not come in by any door.
var banned = map[string]string{
	"github.com/looplab/eventhorizon/eventstore/memory": "loses concurrent writes",
	"github.com/looplab/eventhorizon/codec/json":        "loses the precision of integers",
	"github.com/looplab/eventhorizon/eventbus/local":    "drops events",
	"github.com/looplab/eventhorizon/outbox/memory":     "drops events",
	"github.com/stretchr/testify":                       "tests use the standard library",
	"github.com/pkg/errors":                             "use fmt.Errorf and errors",
	"encoding/json/v2":                                  "is an experiment",
	"math/rand":                                         "use math/rand/v2 or crypto/rand",
	"log":                                               "use log/slog",
}

func bannedImports(t *tree) []string {
	return t.each(func(s source) (found []string) {
		for _, i := range s.imports() {
			for b, why := range banned {
				if i.path == b || within(i.path, b) && b != "log" && b != "math/rand" {
					found = append(found, s.found(i.Pos(), "import of %s: it %s", i.path, why))
				}
			}
		}
		return found
	})
}

// Facts and decisions do no I/O: they get values and return values.
func purity(t *tree) []string {
	return t.each(func(s source) (found []string) {
		if from := root(s.dir); s.isTest() || from != "domain" && from != "events" {
			return nil
		}
		for _, i := range s.imports() {
			if first := root(i.path); first == "os" || first == "net" && i.path != "net/url" && i.path != "net/netip" || first == "database" || first == "syscall" || first == "log" {
				found = append(found, s.found(i.Pos(), "%s must not import %s", s.dir, i.path))
			}
		}
		return found
	})
}

func blankImports(t *tree) []string {
	return t.each(func(s source) (found []string) {
		for _, i := range s.imports() {
			blank := i.Name != nil && i.Name.Name == "_"
			if blank && i.path != "embed" && i.path != "time/tzdata" && i.Comment == nil && i.Doc == nil {
				found = append(found, s.found(i.Pos(), "blank import of %s without a reason beside it", i.path))
			}
		}
		return found
	})
}

func initFunctions(t *tree) []string {
	return t.each(func(s source) (found []string) {
		for _, d := range s.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				found = append(found, s.found(f.Pos(), "init runs where nobody called it"))
			}
		}
		return found
	})
}

// A package's comment stands in one of its files, or in one of its tests where
// it has nothing else.
func packageComments(t *tree) (found []string) {
	for dir, sources := range t.packages() {
		if product := slices.DeleteFunc(slices.Clone(sources), source.isTest); len(product) > 0 {
			sources = product
		}
		comments := 0
		for _, s := range sources {
			if s.Doc == nil {
				continue
			}
			comments++
			text, ok := strings.CutPrefix(s.Doc.Text(), "Package ")
			word, _, _ := strings.Cut(text, " ")
			if !s.isMain() && (!ok || word != s.Name.Name && word != strings.TrimSuffix(s.Name.Name, "_test")) {
				found = append(found, s.found(s.Doc.Pos(), "a package's comment begins with Package %s", s.Name.Name))
			}
		}
		if comments != 1 {
			found = append(found, sources[0].found(sources[0].Package, "package %s has %d package comments, want 1", dir, comments))
		}
	}
	return found
}

func replacements(t *tree) (found []string) {
	text, err := fs.ReadFile(t, "go.mod")
	if err != nil {
		return []string{err.Error()}
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == "replace" {
			found = append(found, "go.mod: "+strings.TrimSpace(line)+": go install ignores replacements")
		}
	}
	return found
}
