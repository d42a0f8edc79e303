package terminal

import (
	"fmt"
	"slices"
	"strings"
)

// gap stands between columns.
const gap = "  "

// least is how narrow a column may become.
const least = 8

// Table is rows under a header, in aligned columns. The zero value is ready to
// use.
type Table struct {
	Header []string
	// Fixed are columns that are never shortened, such as ids, which people
	// copy.
	Fixed []int
	rows  [][]cell
}

type cell struct{ text, code string }

// Row adds a row. Cells may be Styled.
func (t *Table) Row(cells ...any) {
	row := make([]cell, len(cells))
	for i, c := range cells {
		row[i].text, row[i].code = text(c)
	}
	t.rows = append(t.rows, row)
}

// Len returns how many rows there are.
func (t *Table) Len() int { return len(t.rows) }

// Table prints a table. Columns in which no row has anything are left out; where
// the screen is too narrow the widest ones are shortened.
func (t *Terminal) Table(table *Table) {
	columns := table.columns()
	widths := table.widths(columns)
	if t.Width > 0 {
		shrink(widths, columns, table.Fixed, t.Width)
	}
	header := make([]cell, len(table.Header))
	for i, h := range table.Header {
		header[i] = cell{strings.ToUpper(h), "2"}
	}
	t.clear()
	for _, row := range slices.Concat([][]cell{header}, table.rows) {
		_, _ = fmt.Fprintln(t.out, t.row(row, columns, widths))
	}
}

// columns returns the indexes of the columns that hold something.
func (t *Table) columns() (filled []int) {
	for i := range t.Header {
		if slices.ContainsFunc(t.rows, func(r []cell) bool { return i < len(r) && r[i].text != "" }) {
			filled = append(filled, i)
		}
	}
	return filled
}

func (t *Table) widths(columns []int) []int {
	widths := make([]int, len(columns))
	for k, i := range columns {
		widths[k] = Width(t.Header[i])
		for _, r := range t.rows {
			if i < len(r) {
				widths[k] = max(widths[k], Width(r[i].text))
			}
		}
	}
	return widths
}

// shrink takes columns from the widest that may lose some, until all fit.
func shrink(widths, columns, fixed []int, available int) {
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > available; total-- {
		widest := -1
		for k, w := range widths {
			if !slices.Contains(fixed, columns[k]) && w > least && (widest < 0 || w > widths[widest]) {
				widest = k
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

func (t *Terminal) row(row []cell, columns, widths []int) string {
	var b strings.Builder
	for k, i := range columns {
		var c cell
		if i < len(row) {
			c = row[i]
		}
		c.text = cut(c.text, widths[k])
		b.WriteString(t.styled(c.text, c.code))
		if k < len(columns)-1 {
			b.WriteString(strings.Repeat(" ", widths[k]-Width(c.text)) + gap)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
