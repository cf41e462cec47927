package config

import "strings"

// maxDistance is how many letters may differ for a name to be taken for another.
const maxDistance = 2

// Nearest returns the candidate with the smallest edit distance to name, the first of equals; ""
// when none is near. Short names must be nearer: two changes make any three letters any other.
func Nearest(name string, candidates []string) string {
	best, at := "", min(maxDistance, (len(name)+1)/3)+1
	for _, c := range candidates {
		if d := distance(name, c, at); d < at {
			best, at = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, change or swap with their neighbour
// (optimal string alignment); limit and more all answer limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	older := make([]int, len(b)+1)
	for j := range row {
		before[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(before[j]+1, row[j-1]+1, before[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, before, row = before, row, older
	}
	return min(before[len(b)], limit)
}

// suggest names the key that was meant by name in section: of the same section first, then of all.
func (s *schema) suggest(in, name string) string {
	var names []string
	for _, k := range s.of(in) {
		names = append(names, k.Name)
	}
	if n := Nearest(name, names); n != "" {
		return "did you mean " + n + "?"
	}
	if in == "" {
		var sections []string
		for _, sec := range s.sections {
			sections = append(sections, sec.Name)
		}
		if n := Nearest(name, sections); n != "" {
			return "did you mean the section [" + n + "]?"
		}
	}
	names = nil
	for _, k := range s.keys {
		names = append(names, k.Name)
	}
	n := Nearest(name, names)
	if n == "" {
		return ""
	}
	var homes []string
	for _, k := range s.keys {
		if k.Name == n {
			home := "[" + k.Section + "]"
			if k.Section == "" {
				home = "the top of the file, before any section"
			}
			homes = append(homes, home)
		}
	}
	return "did you mean " + n + "? that key belongs to " + strings.Join(homes, " or ")
}

// suggestSection names the section that was meant.
func (s *schema) suggestSection(name string) string {
	var names []string
	for _, sec := range s.sections {
		names = append(names, sec.Name)
	}
	n := Nearest(name, names)
	if n == "" {
		return "the sections are " + strings.Join(names, ", ")
	}
	if sec, _ := s.section(n); sec.Many {
		return "did you mean [[" + n + "]]?"
	}
	return "did you mean [" + n + "]?"
}

// suggestPath names the whole key that was meant by a dotted path; "" when none is near.
func (s *schema) suggestPath(path string) string {
	var paths []string
	for _, k := range s.keys {
		paths = append(paths, k.Path)
	}
	return Nearest(path, paths)
}
