package ftp

import "strings"

// lsLetters are the options of ls. Those that mean nothing here are taken all the same: clients send
// what they would send to ls (ncftpls: -CF).
const lsLetters = "1aAbBcCdDfFgGhHiklLmnNopqQrRsStTuUvxXZ"

// listOptions are those of ls that LIST, NLST and STAT heed.
type listOptions struct {
	long      bool // -l; -1 takes it away
	dots      bool // -a: "." and ".." too
	itself    bool // -d: the folder and not what is in it
	recursive bool // -R
	byTime    bool // -t: the newest first
	bySize    bool // -S: the biggest first
	reverse   bool // -r
	marks     bool // -F
}

// set notes the letters of one group; false where one is none of ls, and then the group is a
// name.
func (o *listOptions) set(letters string) bool {
	next := *o
	for i := range len(letters) {
		switch letters[i] {
		case 'l':
			next.long = true
		case '1':
			next.long = false
		case 'a':
			next.dots = true
		case 'd':
			next.itself = true
		case 'R':
			next.recursive = true
		case 't':
			next.byTime, next.bySize = true, false
		case 'S':
			next.byTime, next.bySize = false, true
		case 'r':
			next.reverse = true
		case 'F':
			next.marks = true
		default: // -A too: names that begin with a dot are shown anyway
			if !strings.ContainsRune(lsLetters, rune(letters[i])) {
				return false
			}
		}
	}
	*o = next
	return true
}

// sorted reports whether the order is another than that of the names.
func (o *listOptions) sorted() bool { return o.byTime || o.bySize || o.reverse }

// parseListing cuts options from what they are about. They come first, in any order, together or
// not, up to "--"; a file whose name looks like one is said with "--" or "./" in front. What follows
// the one space behind them is the name as it stands, blanks and all.
func parseListing(arg string, long bool) (o listOptions, name string) {
	o.long = long
	name = arg
	for {
		word, rest, more := strings.Cut(strings.TrimLeft(name, " "), " ")
		switch {
		case word == "--":
			return o, rest
		case word == "":
			return o, "" // nothing but blanks
		case word[0] != '-', word == "-", !o.set(word[1:]):
			return o, name
		case !more:
			return o, ""
		}
		name = rest
	}
}
