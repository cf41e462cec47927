package files

import (
	"io/fs"
	"time"
)

// Info describes one entry as the session sees it.
type Info struct {
	Name   string
	Path   string // as the client sees it
	Dir    bool
	Link   bool   // a symbolic link (Lstat and ReadDir alone)
	Part   bool   // one's own unfinished upload; no finished file stands there
	Target string // of a link

	Size    int64
	Mode    fs.FileMode // type, permission, setgid and sticky bits
	ModTime time.Time
	Created time.Time // zero: unknown
	UID     uint32
	GID     uint32
	Owner   string // name of UID, or the number
	Group   string
	Links   int    // hard links, at least 1
	Unique  string // the same for two names of one file (RFC 3659 section 7.5.2)

	place place // for Access
}

// Access says what the session may do with an entry: the perm fact of RFC 3659 section 7.5.5 and
// the buttons of a page. Bits, level and token count; quota does not.
type Access struct {
	List   bool // a folder may be listed
	Enter  bool // a folder may be entered
	Create bool // a file may be made in the folder
	Mkdir  bool // a folder may be made in the folder
	Purge  bool // entries of the folder may be deleted
	Delete bool
	Rename bool
	Read   bool // a file may be read
	Write  bool // a file may be replaced
	Append bool // a file may be appended to
}

// Counted is the canonical path of the tree that an entry which this Tree returned counts to, such as "/home/alice"
// or "/groups/choir"; "" for a folder that only holds mounts.
func (t *Tree) Counted(i Info) string {
	if i.place.m == nil {
		return ""
	}
	return i.place.m.canon
}

// CanonicalOf is the canonical path of an entry that this Tree returned, without asking the store; "" for a folder
// that only holds mounts.
func (t *Tree) CanonicalOf(i Info) string { return i.place.canon }
