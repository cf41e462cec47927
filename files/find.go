package files

import (
	"context"
	"strconv"
)

// FindUser finds the uid of a user, by name or number; a name that is a number is a name first, as
// for chown(1). Who is not LevelRoot, and so cannot give a file away, finds nobody but themselves.
func (t *Tree) FindUser(_ context.Context, name string) (uid uint32, ok bool) {
	v, err := t.now()
	if err != nil || name == "" {
		return 0, false
	}
	if name == v.c.User || name == string(v.c.Login) {
		return v.c.UID, true
	}
	if v.superuser() {
		if v.s.o.Names != nil {
			if uid, ok := v.s.o.Names.FindUser(v.domain, name); ok {
				return uid, true
			}
		}
		if name == "root" {
			return 0, true
		}
	}
	return number(name)
}

// FindGroup finds the gid of a group, by name or number. Who is not LevelRoot finds no group but
// those that they are in.
func (t *Tree) FindGroup(_ context.Context, name string) (gid uint32, ok bool) {
	v, err := t.now()
	if err != nil || name == "" {
		return 0, false
	}
	if name == v.c.Group {
		return v.c.GID, true
	}
	for i, g := range v.c.Groups {
		if g == name && i < len(v.c.GIDs) {
			return v.c.GIDs[i], true
		}
	}
	if v.superuser() {
		if v.s.o.Names != nil {
			if gid, ok := v.s.o.Names.FindGroup(v.domain, name); ok {
				return gid, true
			}
		}
		if name == "root" {
			return 0, true
		}
	}
	return number(name)
}

func number(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	const nobody = 1<<32 - 1 // (uid_t)-1, which chown(2) takes for "leave it"
	return uint32(n), err == nil && n != nobody
}
