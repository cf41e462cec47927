package ftp

import (
	"strconv"
	"strings"
	"time"

	"trivium/files"
)

// halfYear is from when ls gives the year in the place of the time.
const halfYear = 182 * 24 * time.Hour

// appendLong writes one entry as `ls -l` does, without its line end.
func appendLong(b []byte, st *stamps, i *files.Info, name string) []byte {
	b = appendMode(b, i)
	b = appendRight(append(b, ' '), int64(max(i.Links, 1)), 3)
	b = appendColumn(append(b, ' '), i.Owner, i.UID)
	b = appendColumn(append(b, ' '), i.Group, i.GID)
	b = appendRight(append(b, ' '), i.Size, 12)
	b = st.appendDate(append(b, ' '), i.ModTime)
	b = appendPrintable(append(b, ' '), name)
	if i.Link && i.Target != "" {
		b = appendPrintable(append(b, " -> "...), i.Target)
	}
	return b
}

// appendMode writes the letters of the mode.
func appendMode(b []byte, i *files.Info) []byte {
	kind := byte('-')
	switch {
	case i.Link:
		kind = 'l'
	case i.Dir:
		kind = 'd'
	}
	at := len(b)
	b = append(b, kind)
	b = append(b, "rwxrwxrwx"...)
	letters := b[at:]
	n := unixMode(i.Mode)
	for k := range 9 {
		if n&(1<<(8-k)) == 0 {
			letters[k+1] = '-'
		}
	}
	if n > 0o777 {
		special(letters, 3, n&0o4000 != 0, 's', 'S')
		special(letters, 6, n&0o2000 != 0, 's', 'S')
		special(letters, 9, n&0o1000 != 0, 't', 'T')
	}
	return b
}

// special puts a letter where the right to execute stands.
func special(letters []byte, at int, set bool, with, without byte) {
	switch {
	case !set:
	case letters[at] == 'x':
		letters[at] = with
	default:
		letters[at] = without
	}
}

const blanks = "                "

// appendRight writes a number at the right of a column.
func appendRight(b []byte, n int64, width int) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	if len(text) < width {
		b = append(b, blanks[:width-len(text)]...)
	}
	return append(b, text...)
}

// appendColumn writes an owner or a group at the left of a column; clients cut lines at spaces.
func appendColumn(b []byte, name string, id uint32) []byte {
	const width = 8
	at := len(b)
	switch {
	case name == "":
		b = strconv.AppendUint(b, uint64(id), 10)
	case strings.IndexByte(name, ' ') < 0:
		b = appendPrintable(b, name)
	default:
		b = appendPrintable(b, strings.ReplaceAll(name, " ", "_"))
	}
	if n := len(b) - at; n < width {
		b = append(b, blanks[:width-n]...)
	}
	return b
}

// appendPrintable is printable; most names are plain ASCII.
func appendPrintable(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return append(b, printable(s)...)
		}
	}
	return append(b, s...)
}

// appendOneLine is oneLine.
func appendOneLine(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c == 0 {
			return append(b, oneLine(s)...)
		}
	}
	return append(b, s...)
}

// mark is what -F puts behind a name.
func mark(i *files.Info) string {
	switch {
	case i.Link:
		return "@"
	case i.Dir:
		return "/"
	case i.Mode&0o111 != 0:
		return "*"
	}
	return ""
}
