package strength

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of a list of bad passwords: it takes 8 bytes of memory for each entry.
const (
	maxEntries = 16 << 20
	maxLine    = 4096 // bytes
)

// List is a set of passwords that are known to be bad. It keeps a part of their hashes alone, so it may
// take one in some billions for bad that is not. It is safe for any goroutine.
type List struct{ hashes []uint64 }

// ReadList reads one password to a line; empty lines are left out.
func ReadList(r io.Reader) (*List, error) {
	l := &List{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, maxLine), maxLine)
	for lines.Scan() {
		text := strings.TrimSuffix(lines.Text(), "\r")
		if text == "" {
			continue
		}
		if len(l.hashes) == maxEntries {
			return nil, fmt.Errorf("the list of bad passwords has more than %d lines", maxEntries)
		}
		l.hashes = append(l.hashes, hashOf(text))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the list of bad passwords: %w", err)
	}
	slices.Sort(l.hashes)
	l.hashes = slices.Compact(l.hashes)
	return l, nil
}

// Has reports whether password stands in the list, as it is or in small letters; nil has none.
func (l *List) Has(password string) bool {
	if l == nil {
		return false
	}
	for _, text := range []string{password, strings.ToLower(password)} {
		if _, ok := slices.BinarySearch(l.hashes, hashOf(text)); ok {
			return true
		}
	}
	return false
}

// Len is the number of entries.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return len(l.hashes)
}

func hashOf(text string) uint64 {
	sum := sha256.Sum256([]byte(text))
	return binary.BigEndian.Uint64(sum[:])
}
