package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// line is one figure of the table.
type line struct {
	title, unit string
	less        bool // less is better
}

// table holds what was measured.
type table struct {
	lines []line
	names []string // of the servers, in the order in which they were first seen
	cells map[string]map[string][]float64
}

func newTable() *table { return &table{cells: map[string]map[string][]float64{}} }

// add notes one measurement.
func (t *table) add(l line, server string, value float64) {
	if t.cells[l.title] == nil {
		t.cells[l.title] = map[string][]float64{}
		t.lines = append(t.lines, l)
	}
	if !slices.Contains(t.names, server) {
		t.names = append(t.names, server)
	}
	t.cells[l.title][server] = append(t.cells[l.title][server], value)
}

// median of what was measured; false where nothing was.
func (t *table) median(l line, server string) (float64, bool) {
	all := slices.Sorted(slices.Values(t.cells[l.title][server]))
	if len(all) == 0 {
		return 0, false
	}
	return all[len(all)/2], true
}

// The names that are no peers.
const (
	ours      = "trivium"
	oursSync  = "trivium (sync)"
	oursKeeps = "trivium (archive)"
	bareLimit = "limit"
)

// best is the best peer's median.
func (t *table) best(l line) (name string, value float64) {
	for _, n := range t.names {
		if n == ours || n == oursSync || n == oursKeeps || n == bareLimit {
			continue
		}
		if v, ok := t.median(l, n); ok && (name == "" || (v < value) == l.less) {
			name, value = n, v
		}
	}
	return name, value
}

// ratio is how ours stands to another: 1 is the same, more is better.
func ratio(l line, own, other float64) string {
	if l.less {
		own, other = other, own
	}
	if other == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", own/other)
}

// print writes Markdown: medians, and how ours stands to the best peer and to the limit.
func (t *table) print(w io.Writer) {
	head := append([]string{"figure"}, t.names...)
	head = append(head, "to the best peer", "to the limit")
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, l := range t.lines {
		row := []string{l.title + ", " + l.unit}
		for _, n := range t.names {
			if v, ok := t.median(l, n); ok {
				row = append(row, number(v))
			} else {
				row = append(row, "")
			}
		}
		peer, limit := "", ""
		if own, ok := t.median(l, ours); ok {
			if name, v := t.best(l); name != "" {
				peer = ratio(l, own, v) + " " + name
			}
			if v, ok := t.median(l, bareLimit); ok {
				limit = ratio(l, own, v)
			}
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(append(row, peer, limit), " | "))
	}
}

// number writes three digits that count.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
