package arch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// rules are what every commit keeps to. Each is a look at the whole repository
// that tells what it found.
func rules() map[string]func(*tree) []string {
	return map[string]func(*tree) []string{
		"the root folders are the five of the design":  rootFolders,
		"imports follow the arrows":                    arrows,
		"facts and decisions do no I/O":                purity,
		"what loses data or is superseded stays out":   bannedImports,
		"a blank import says why":                      blankImports,
		"nothing happens at import":                    initFunctions,
		"a package has one comment":                    packageComments,
		"go.mod replaces nothing":                      replacements,
		"only a main knows environment, exit and time": mainsOnly,
		"tests don't sleep":                            sleepingTests,
		"files and functions are short":                lengths,
		"what is exported is documented":               documentation,
		"names in JSON and YAML are in snake_case":     tags,
	}
}

func TestHouseRules(t *testing.T) {
	t.Parallel()
	repo, err := read(os.DirFS(repository(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(repo.sources) < 50 {
		t.Fatalf("%d files are not all of Handoff", len(repo.sources))
	}
	for sentence, rule := range rules() {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for _, found := range rule(repo) {
				t.Error(found)
			}
		})
	}
}

// repository is the folder above with go.mod.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above")
		}
	}
}

// clean is a repository in which nothing is wrong.
func clean() fstest.MapFS {
	return fstest.MapFS{
		"go.mod":                      file("module handoff"),
		"events/e.go":                 file("// Package events is clean.\npackage events"),
		"domain/d.go":                 file("// Package domain is clean.\npackage domain\n\nimport _ \"handoff/events\" // to have an arrow"),
		"infra/x/x.go":                file("// Package x is clean.\npackage x\n\nimport \"handoff/domain\"\n\n// V is documented.\nvar V = domain.V"),
		"functions/f/f.go":            file("// Package f is clean.\npackage f\n\nimport \"handoff/infra/eventlog\"\n\n// F is documented.\ntype F struct {\n\tA eventlog.Log `json:\"a_b,omitempty\"`\n}"),
		"functions/f/lambda/main.go":  file("// The function f.\npackage main\n\nimport (\n\t\"os\"\n\t\"handoff/infra/x\"\n)\n\nfunc main() { os.Exit(x.V) }"),
		"functions/handoff/sys/s.go":  file("// Package sys is clean.\npackage sys\n\nimport \"handoff/infra/x\"\n\n// The group.\nconst (\n\tA = x.V\n)"),
		"tests/t/t_test.go":           file("// Package t is clean.\npackage t_test\n\nimport (\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f() { synctest.Wait(); time.Sleep(1); time.Now() }"),
		"tests/load/go.mod":           file("module load"),
		"tests/load/wild.go":          file("package wild\n\nfunc init() {}"),
		"tests/t/testdata/ignored.go": file("this is no Go"),
	}
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// The rules are worth something only if they find what they forbid.
func TestRulesFindViolations(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\n", maxFunctionLines)
	for sentence, violations := range map[string]map[string]string{
		"the root folders are the five of the design": {"pkg/p.go": "// Package pkg is extra.\npackage pkg"},
		"imports follow the arrows": {
			"events/a.go":                "package events\n\nimport \"handoff/domain\"\n\nvar _ = domain.V",
			"domain/a.go":                "package domain\n\nimport \"handoff/infra/x\"\n\nvar _ = x.V",
			"infra/x/a.go":               "package x\n\nimport \"handoff/functions/f\"\n\nvar _ = f.V",
			"infra/x/b.go":               "package x\n\nimport \"handoff/tests/scenario\"\n\nvar _ = scenario.V",
			"functions/f/a.go":           "package f\n\nimport \"handoff/functions/g\"\n\nvar _ = g.V",
			"functions/f/b.go":           "package f\n\nimport \"handoff/infra/x\"\n\nvar _ = x.V",
			"functions/f/c.go":           "package f\n\nimport \"handoff/infra/eventlog/memlog\"\n\nvar _ = memlog.V",
			"functions/handoff/sys/a.go": "package sys\n\nimport \"handoff/tests/scenario\"\n\nvar _ = scenario.V",
		},
		"what loses data or is superseded stays out": {
			"domain/a.go":      "package domain\n\nimport \"github.com/looplab/eventhorizon/eventstore/memory\"\n\nvar _ = memory.V",
			"domain/b.go":      "package domain\n\nimport \"github.com/looplab/eventhorizon/codec/json\"\n\nvar _ = json.V",
			"domain/c_test.go": "package domain\n\nimport \"github.com/stretchr/testify/require\"\n\nvar _ = require.V",
			"domain/d.go":      "package domain\n\nimport \"log\"\n\nvar _ = log.Print",
		},
		"facts and decisions do no I/O": {
			"domain/a.go": "package domain\n\nimport \"net/http\"\n\nvar _ = http.Get",
			"events/a.go": "package events\n\nimport \"os\"\n\nvar _ = os.Open",
		},
		"a blank import says why":   {"domain/a.go": "package domain\n\nimport _ \"image/png\""},
		"nothing happens at import": {"domain/a.go": "package domain\n\nfunc init() {}"},
		"a package has one comment": {
			"domain/a.go":  "// Package domain is documented twice.\npackage domain",
			"infra/y/y.go": "package y",
			"infra/z/z.go": "// package z is in lower case.\npackage z",
			"infra/w/w.go": "// w has no word before it.\npackage w",
		},
		"go.mod replaces nothing": {"go.mod": "module handoff\n\nreplace a => ../a"},
		"only a main knows environment, exit and time": {
			"infra/x/a.go": "package x\n\nimport \"os\"\n\nvar _ = os.Getenv(\"A\")",
			"infra/x/b.go": "package x\n\nimport clock \"time\"\n\nvar now = clock.Now",
			"infra/x/c.go": "package x\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }",
		},
		"tests don't sleep": {"domain/a_test.go": "package domain_test\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }"},
		"files and functions are short": {
			"domain/a.go": "package domain\n\nfunc f() {" + long + "}",
			"domain/b.go": "package domain\n" + strings.Repeat("\n", maxFileLines+1),
		},
		"what is exported is documented": {
			"domain/a.go": "package domain\n\nfunc F() {}",
			"domain/b.go": "package domain\n\n// It is something.\ntype T struct{}",
			"domain/c.go": "package domain\n\n// Value is another one.\nvar V = 1",
			"domain/d.go": "package domain\n\n// T is a type.\ntype T[A any] struct{}\n\nfunc (t *T[A]) M() {}",
			"domain/e.go": "package domain\n\n// Fine is not F.\nfunc F() {}",
			"domain/f.go": "package domain\n\nconst (\n\tA = 1\n)",
		},
		"names in JSON and YAML are in snake_case": {
			"domain/a.go": "package domain\n\ntype t struct {\n\tA int `json:\"someName\"`\n}",
			"domain/b.go": "package domain\n\ntype t struct {\n\tA int `yaml:\"some-name,omitempty\"`\n}",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for name, text := range violations {
				repo := clean()
				repo[name] = file(text)
				if got := findings(t, repo, sentence); len(got) == 0 {
					t.Errorf("nothing is found in %s:\n%s", name, text)
				}
			}
		})
	}
}

func TestRulesLeaveTheCleanAlone(t *testing.T) {
	t.Parallel()
	for sentence := range rules() {
		if got := findings(t, clean(), sentence); len(got) > 0 {
			t.Errorf("%s, but in a clean repository %v", sentence, got)
		}
	}
}

func findings(t *testing.T, repo fstest.MapFS, sentence string) []string {
	t.Helper()
	parsed, err := read(repo)
	if err != nil {
		t.Fatal(err)
	}
	rule, ok := rules()[sentence]
	if !ok {
		t.Fatalf("there is no rule that %s", sentence)
	}
	return rule(parsed)
}
