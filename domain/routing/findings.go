package routing

import (
	"cmp"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"handoff/domain/fault"
)

// maxFindings bounds the answer to a file that is wrong everywhere.
const maxFindings = 200

// findings collects everything that is wrong with a file, so that its author
// mends it in one go.
type findings struct {
	list []fault.Problem
	rule string // the rule that is being read
}

func (f *findings) add(n *yaml.Node, format string, args ...any) {
	f.addAt(n.Line, n.Column, format, args...)
}

func (f *findings) addAt(line, column int, format string, args ...any) {
	f.list = append(f.list, fault.Problem{Rule: f.rule, Line: line, Column: column, Detail: fmt.Sprintf(format, args...)})
}

// err returns nil, or one fault with every finding in the order of the file.
func (f *findings) err() error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b fault.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	first, count := f.list[0], "1 finding"
	if n := len(f.list); n > 1 {
		count = fmt.Sprintf("%d findings, first", n)
	}
	e := fault.Newf(fault.Unprocessable, "rules-invalid", "The rules file has %s in line %d, column %d: %s.", count, first.Line, first.Column, first.Detail)
	e.Problems = f.list
	if n := len(f.list); n > maxFindings {
		e.Problems = slices.Concat(f.list[:maxFindings], []fault.Problem{{
			Line: f.list[maxFindings].Line, Column: f.list[maxFindings].Column,
			Detail: fmt.Sprintf("%d more findings follow from here", n-maxFindings),
		}})
	}
	return e
}

// suggest returns a hint at the known word that unknown was probably meant to
// be, or "".
func suggest(unknown string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(unknown, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// editDistance returns how many bytes must be put in, taken out or replaced to
// make b of a. Long words are reported as far apart without looking.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
