package files

import (
	"io/fs"
	"strings"

	"golang.org/x/text/unicode/norm"

	"trivium/identity"
)

// This file decides who may do what; nothing else does. In this order:
//
//  1. the level: a canonical path that Policy does not allow does not exist, nor what is below it;
//     whether a mount shows at all is sees, in extra.go;
//  2. the token: outside of its path nothing exists, except the folders that lead there; without
//     files:read nothing is read, without files:write nothing is changed;
//  3. POSIX bits: the first of owner, group and others that the session is decides alone.
//
// LevelRoot passes the bits, but only in what its own mounts show: its home, its groups' folders,
// /pub and the further mounts that they see. No level opens another person's home. In /pub, sessions of LevelStaff and above act as
// the owner of what belongs to root, which is everything that they put there.

// The bits of a right, as in one digit of a mode.
const (
	mayExec  fs.FileMode = 1
	mayWrite fs.FileMode = 2
	mayRead  fs.FileMode = 4
)

// visible is steps 1 and 2 for seeing that a canonical path exists.
func (v *view) visible(canon string) bool {
	if !norm.NFC.IsNormalString(canon) && !v.visible(norm.NFC.String(canon)) {
		return false // a rule is about what people read, whatever bytes it is written in
	}
	if v.s.o.Policy != nil && !v.s.o.Policy.Allowed(v.ses, resource(canon)) {
		return false
	}
	return v.granted(canon) || inside(canon, v.c.Grant.Path)
}

// granted reports whether the token, if any, reaches the canonical path itself.
func (v *view) granted(canon string) bool {
	return v.c.Grant == nil || v.c.Grant.Path == "" || inside(v.c.Grant.Path, canon)
}

// superuser reports whether bits do not count.
func (v *view) superuser() bool { return v.c.Level.Allows(identity.LevelRoot) }

// housekeeper reports whether the session acts as root in /pub.
func (v *view) housekeeper(m *mount) bool { return m.house && v.c.Level.Allows(identity.LevelStaff) }

// owns reports whether the session is the owner.
func (v *view) owns(m *mount, o owned) bool {
	return v.superuser() || !v.c.Anonymous() && o.uid == v.c.UID || v.housekeeper(m) && o.uid == m.uid
}

// inGroup reports whether the session acts for the group.
func (v *view) inGroup(m *mount, gid uint32) bool {
	return v.superuser() || v.c.In(gid) || v.housekeeper(m) && gid == m.gid
}

// bits is step 3.
func (v *view) bits(m *mount, o owned, want fs.FileMode) bool {
	switch {
	case v.superuser():
		return true
	case v.owns(m, o):
		want <<= 6
	case v.inGroup(m, o.gid):
		want <<= 3
	}
	return o.mode&want == want
}

// enter reports whether names below the folder may be reached.
func (v *view) enter(m *mount, o owned) bool { return v.bits(m, o, mayExec) }

// read reports whether a file's content or a folder's list may be read. A folder that only leads to
// the token's path may be listed; visible takes the rest out of it.
func (v *view) read(m *mount, o owned, canon string) bool {
	if !v.c.MayRead() || !o.mode.IsDir() && !v.granted(canon) {
		return false
	}
	return v.bits(m, o, mayRead)
}

// change reports whether the mount, and the token, let anything at that path be changed.
func (v *view) change(m *mount, canon string) bool {
	return !m.readOnly && v.c.MayWrite() && v.granted(canon)
}

// write reports whether a file's content may be changed.
func (v *view) write(m *mount, o owned, canon string) bool {
	return v.change(m, canon) && v.bits(m, o, mayWrite)
}

// add reports whether an entry of that canonical path may be made in the folder.
func (v *view) add(m *mount, dir owned, canon string) bool {
	return v.change(m, canon) && v.bits(m, dir, mayWrite|mayExec)
}

// take reports whether an entry may leave the folder: add, and in a sticky folder only by the owner
// of either.
func (v *view) take(m *mount, dir, entry owned, canon string) bool {
	if !v.add(m, dir, canon) {
		return false
	}
	return dir.mode&fs.ModeSticky == 0 || v.owns(m, dir) || v.owns(m, entry)
}

// attrs reports whether owner-only attributes (mode, group) may be changed.
func (v *view) attrs(m *mount, o owned, canon string) bool {
	return v.change(m, canon) && v.owns(m, o)
}

// fresh is the ownership of a new entry in dir: a setgid folder gives its group, and itself to new
// folders (POSIX leaves that to the system; Linux does so).
func (v *view) fresh(m *mount, dir owned, isDir bool) owned {
	o := owned{uid: v.c.UID, gid: v.c.GID, mode: m.file &^ fs.ModeType}
	if v.housekeeper(m) {
		o.uid, o.gid = m.uid, m.gid
	}
	if isDir {
		o.mode = m.dir&^fs.ModeSetgid | fs.ModeDir
	}
	if dir.mode&fs.ModeSetgid != 0 {
		o.gid = dir.gid
		if isDir {
			o.mode |= fs.ModeSetgid
		}
	}
	return o
}

// guarded reports whether a rule of the policy hides something below the folder from the session:
// moving the folder would carry it out of the rule's reach. Policies that cannot list their rules
// are taken to have none there.
func (v *view) guarded(canon string) bool {
	rules, _ := v.rules()
	here := split(canon)
	for _, r := range rules {
		if !v.c.Level.Allows(r.level) && below(r.segments, here) {
			return true
		}
	}
	return false
}

// fileRule is a rule of the policy about paths.
type fileRule struct {
	segments []string
	level    identity.Level
}

// rules lists those that count for the session; false where the policy cannot.
func (v *view) rules() ([]fileRule, bool) {
	lister, ok := v.s.o.Policy.(interface {
		RulesFor(ses *identity.Session, kind string) []identity.Rule
	})
	if !ok {
		return nil, false
	}
	var out []fileRule
	for _, r := range lister.RulesFor(v.ses, "file") {
		out = append(out, fileRule{split(strings.TrimPrefix(r.Resource, "file:")), r.Level})
	}
	return out, true
}

// below reports whether the pattern can match something under the path that it does not match all
// along.
func below(pattern, path []string) bool {
	if len(pattern) <= len(path) {
		return false
	}
	for i, segment := range path {
		if pattern[i] == "**" {
			return false
		}
		if pattern[i] != "*" && pattern[i] != segment {
			return false
		}
	}
	return true
}

// Access says what the session may do with an entry that this Tree returned. A session that has
// ended may do nothing.
func (t *Tree) Access(i Info) Access {
	v, err := t.now()
	if err != nil {
		return Access{}
	}
	return v.access(&i)
}

func (v *view) access(i *Info) Access {
	at := i.place
	if at.m == nil {
		return Access{List: v.c.MayRead(), Enter: true}
	}
	o := owned{uid: i.UID, gid: i.GID, mode: i.Mode}
	var a Access
	if at.dir != nil {
		a.Delete = v.take(at.m, *at.dir, o, at.canon)
		a.Rename = a.Delete
	}
	if i.Dir {
		a.Enter = v.enter(at.m, o)
		a.List = v.read(at.m, o, at.canon)
		a.Create = v.add(at.m, o, at.canon)
		a.Mkdir, a.Purge = a.Create, a.Create
		return a
	}
	if i.Part {
		a.Write = at.dir != nil && v.add(at.m, *at.dir, at.canon)
		a.Append = a.Write
		return a
	}
	a.Read = v.read(at.m, o, at.canon)
	a.Write = v.write(at.m, o, at.canon)
	a.Append = a.Write
	return a
}
