package arch_test

import (
	"go/ast"
	"go/token"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

func mainsOnly(t *tree) []string {
	return t.each(func(s source) (found []string) {
		if s.isMain() || s.isTest() || root(s.dir) == "tests" {
			return nil
		}
		for _, c := range s.calls("os", "Getenv", "LookupEnv", "Exit") {
			found = append(found, s.found(c.Pos(), "os.%s is the business of a main", c.Sel.Name))
		}
		for _, c := range s.calls("time", "Now", "Since", "Until") {
			found = append(found, s.found(c.Pos(), "time.%s: time enters as a value or as now func() time.Time", c.Sel.Name))
		}
		return found
	})
}

// In a synctest bubble a sleep takes no time and is exact.
func sleepingTests(t *tree) []string {
	return t.each(func(s source) (found []string) {
		if !s.isTest() && root(s.dir) != "tests" {
			return nil
		}
		for _, i := range s.imports() {
			if i.path == "testing/synctest" {
				return nil
			}
		}
		for _, c := range s.calls("time", "Sleep") {
			found = append(found, s.found(c.Pos(), "a test that sleeps outside of synctest"))
		}
		return found
	})
}

const (
	maxFileLines         = 400
	maxFunctionLines     = 60
	maxTestFunctionLines = 120
)

// Files and functions that may be longer, and why.
var longer = map[string]string{
	"domain/routing/parse_test.go TestFindings": "a table with a case for each finding of the rules language",
}

func lengths(t *tree) []string {
	return t.each(func(s source) (found []string) {
		if n := s.line(s.FileEnd) - 1; n > maxFileLines && longer[s.path] == "" {
			found = append(found, s.found(s.Package, "%d lines, want at most %d", n, maxFileLines))
		}
		limit := maxFunctionLines
		if s.isTest() {
			limit = maxTestFunctionLines
		}
		for _, d := range s.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.line(f.End()) - s.line(f.Type.Pos()) + 1; n > limit && longer[s.path+" "+f.Name.Name] == "" {
				found = append(found, s.found(f.Pos(), "%s has %d lines, want at most %d", f.Name.Name, n, limit))
			}
		}
		return found
	})
}

func documentation(t *tree) []string {
	return t.each(func(s source) (found []string) {
		if s.isTest() || s.isMain() {
			return nil
		}
		for _, d := range s.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && !begins(d.Doc, d.Name.Name) {
					found = append(found, s.found(d.Pos(), "the comment on %s does not begin with its name", d.Name.Name))
				}
			case *ast.GenDecl:
				found = append(found, s.undocumented(d)...)
			}
		}
		return found
	})
}

// undocumented looks at types, constants and variables. Of constants and
// variables in one group, the group's comment is enough.
func (s source) undocumented(d *ast.GenDecl) (found []string) {
	group := d.Lparen.IsValid()
	for _, spec := range d.Specs {
		var names []*ast.Ident
		doc, inGroup := d.Doc, false
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = []*ast.Ident{spec.Name}
			if group {
				doc = spec.Doc
			}
		case *ast.ValueSpec:
			names, inGroup = spec.Names, group && (d.Doc != nil || spec.Comment != nil)
			if group && spec.Doc != nil {
				doc = spec.Doc
			}
		}
		for _, n := range names {
			if n.IsExported() && !inGroup && !begins(doc, n.Name) {
				found = append(found, s.found(n.Pos(), "the comment on %s does not begin with its name", n.Name))
			}
		}
	}
	return found
}

func begins(doc *ast.CommentGroup, name string) bool {
	text := doc.Text()
	for _, article := range []string{"", "A ", "An ", "The "} {
		if rest, ok := strings.CutPrefix(text, article+name); ok && !regexp.MustCompile(`^[A-Za-z0-9_]`).MatchString(rest) {
			return true
		}
	}
	return false
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	typ := f.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return false
		}
	}
}

var snake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

func tags(t *tree) []string {
	return t.each(func(s source) (found []string) {
		if s.isTest() {
			return nil
		}
		ast.Inspect(s.File, func(n ast.Node) bool {
			f, ok := n.(*ast.Field)
			if !ok || f.Tag == nil {
				return true
			}
			for _, key := range []string{"json", "yaml"} {
				if name := tagName(f.Tag, key); name != "" && name != "-" && !snake.MatchString(name) {
					found = append(found, s.found(f.Tag.Pos(), "%s name %q is not in snake_case", key, name))
				}
			}
			return true
		})
		return found
	})
}

func tagName(tag *ast.BasicLit, key string) string {
	if tag.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(tag.Value)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(text).Get(key), ",")
	return name
}
