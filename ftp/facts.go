package ftp

import (
	"io/fs"
	"strconv"
	"strings"
	"time"

	"trivium/files"
)

// factSet is which facts MLST and MLSD give.
type factSet uint16

const (
	factType factSet = 1 << iota
	factSize
	factModify
	factCreate
	factPerm
	factUnique
	factMode
	factOwner
	factGroup
	factUID
	factGID
	allFacts = factGID<<1 - 1
)

// factNames are in the order in which they are written (RFC 3659 section 7.5; the UNIX facts are
// what servers have agreed on).
var factNames = []struct {
	bit  factSet
	name string
}{
	{factType, "Type"}, {factSize, "Size"}, {factModify, "Modify"}, {factCreate, "Create"}, {factPerm, "Perm"}, {factUnique, "Unique"},
	{factMode, "UNIX.mode"}, {factOwner, "UNIX.ownername"}, {factGroup, "UNIX.groupname"}, {factUID, "UNIX.uid"}, {factGID, "UNIX.gid"},
}

// parseFacts reads the list of OPTS MLST; unknown facts are passed over (RFC 3659 section 7.9).
func parseFacts(list string) factSet {
	var set factSet
	for name := range strings.SplitSeq(list, ";") {
		for _, f := range factNames {
			if strings.EqualFold(strings.TrimSpace(name), f.name) {
				set |= f.bit
			}
		}
	}
	return set
}

// names lists the chosen facts as the reply to OPTS MLST does.
func (set factSet) names() string {
	var b strings.Builder
	for _, f := range factNames {
		if set&f.bit != 0 {
			b.WriteString(f.name + ";")
		}
	}
	return b.String()
}

// feature lists all facts, the chosen ones starred (RFC 3659 section 7.8).
func (set factSet) feature() string {
	var b strings.Builder
	for _, f := range factNames {
		b.WriteString(f.name)
		if set&f.bit != 0 {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// stamps writes times. It keeps the last one, as many entries of a folder are of one moment.
type stamps struct {
	now time.Time

	second int64 // of fact
	fact   []byte
	minute int64 // of date
	date   []byte
}

// appendFact is factTime.
func (st *stamps) appendFact(b []byte, t time.Time) []byte {
	if sec := t.Unix(); sec != st.second || st.fact == nil {
		st.second, st.fact = sec, t.UTC().AppendFormat(st.fact[:0], timeForm)
	}
	return append(b, st.fact...)
}

// appendDate is the time as ls gives it, in UTC: with the year where it is half a year old, or of
// tomorrow and later.
func (st *stamps) appendDate(b []byte, t time.Time) []byte {
	const minute = 60
	if m := t.Unix() / minute; m != st.minute || st.date == nil {
		form := "Jan _2 15:04"
		if age := st.now.Sub(t); age > halfYear || age < -24*time.Hour {
			form = "Jan _2  2006"
		}
		st.minute, st.date = m, t.UTC().AppendFormat(st.date[:0], form)
	}
	return append(b, st.date...)
}

// appendFacts writes one entry of MLSD without its line end: facts, a space, the name.
func (set factSet) appendFacts(b []byte, st *stamps, kind string, i *files.Info, a files.Access, name string) []byte {
	for _, f := range factNames {
		if set&f.bit == 0 {
			continue
		}
		before := len(b)
		b = append(append(b, f.name...), '=')
		from := len(b)
		switch f.bit {
		case factType:
			b = append(b, kind...)
		case factSize:
			if !i.Dir {
				b = strconv.AppendInt(b, i.Size, 10)
			}
		case factModify:
			b = st.appendFact(b, i.ModTime)
		case factCreate:
			if !i.Created.IsZero() {
				b = st.appendFact(b, i.Created)
			}
		case factPerm:
			b = appendPerm(b, i, a)
		case factUnique:
			b = appendValue(b, i.Unique)
		case factMode:
			b = appendOctal(b, unixMode(i.Mode))
		case factOwner:
			b = appendValue(b, i.Owner)
		case factGroup:
			b = appendValue(b, i.Group)
		case factUID:
			b = strconv.AppendUint(b, uint64(i.UID), 10)
		case factGID:
			b = strconv.AppendUint(b, uint64(i.GID), 10)
		}
		if len(b) == from {
			b = b[:before]
			continue
		}
		b = append(b, ';')
	}
	return appendOneLine(append(b, ' '), name)
}

// appendValue adds a value, or nothing where a fact cannot hold it (RFC 3659 section 7.2).
func appendValue(b []byte, v string) []byte {
	for i := range len(v) {
		switch v[i] {
		case ';', ' ', '\r', '\n', 0:
			return b
		}
	}
	return append(b, v...)
}

// appendOctal writes a mode with the 0 in front that says so.
func appendOctal(b []byte, mode uint32) []byte {
	return strconv.AppendUint(append(b, '0'), uint64(mode), 8)
}

// appendPerm is the perm fact (RFC 3659 section 7.5.5).
func appendPerm(b []byte, i *files.Info, a files.Access) []byte {
	for _, p := range [...]struct {
		ok     bool
		letter byte
	}{
		{!i.Dir && a.Append, 'a'}, {i.Dir && a.Create, 'c'}, {a.Delete, 'd'}, {i.Dir && a.Enter, 'e'}, {a.Rename, 'f'},
		{i.Dir && a.List, 'l'}, {i.Dir && a.Mkdir, 'm'}, {i.Dir && a.Purge, 'p'}, {!i.Dir && a.Read, 'r'}, {!i.Dir && a.Write, 'w'},
	} {
		if p.ok {
			b = append(b, p.letter)
		}
	}
	return b
}

// kindOf is the type fact of an entry that is no link.
func kindOf(i *files.Info) string {
	if i.Dir {
		return "dir"
	}
	return "file"
}

// linkKind is the type fact of a link that leads nowhere.
const linkKind = "OS.unix=symlink"

// unixMode is the mode as numbers on Unix have it.
func unixMode(m fs.FileMode) uint32 {
	n := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		n |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		n |= 0o1000
	}
	return n
}
