package strength

import (
	_ "embed" // the lists
	"strings"
)

//go:embed passwords.txt
var passwords string

//go:embed words.txt
var words string

//go:embed names.txt
var names string

// Estimator knows the lists. It is safe for any goroutine.
type Estimator struct {
	ranks map[string]int // place in its list, from 1
}

// New reads the lists that are built in.
func New() *Estimator {
	e := &Estimator{ranks: make(map[string]int, 20000)}
	for _, list := range []string{passwords, words, names} {
		rank := 0
		for entry := range strings.SplitSeq(strings.TrimSpace(list), "\n") {
			rank++
			if old, ok := e.ranks[entry]; !ok || rank < old {
				e.ranks[entry] = rank
			}
		}
	}
	return e
}

// Common reports whether text, in any case, is in the list of the commonest passwords, words and
// names as a whole.
func (e *Estimator) Common(text string) bool { return e.ranks[strings.ToLower(text)] > 0 }
