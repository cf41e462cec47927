package files

import (
	"io/fs"
	"slices"
	"strings"
	"time"

	"trivium/identity"
)

// The mask of /pub: it is there to be read by all.
const pubMask fs.FileMode = 0o022

// mount is one tree as a session sees it.
type mount struct {
	key   string // in the backend
	at    string // where the client sees its top
	canon string // canonical path of its top
	house bool   // /pub: staff act as its owner

	readOnly bool // nobody changes anything

	uid, gid       uint32 // default owner and group
	top, dir, file fs.FileMode

	limitBytes, limitFiles int64 // -1: none
	team                   bool  // a group's folder, whose limits are asked for where they count
}

// owned is what permission bits look at.
type owned struct {
	uid, gid uint32
	mode     fs.FileMode
	created  *time.Time // where somebody has set it
}

// owned puts what the node says over the mount's default.
func (m *mount) owned(n Node, top bool) owned {
	o := owned{uid: m.uid, gid: m.gid}
	switch {
	case top:
		o.mode = m.top
	case n.Type.IsDir():
		o.mode = m.dir
	case n.Type&fs.ModeSymlink != 0:
		o.mode = 0o777
	default:
		o.mode = m.file
	}
	if n.Attr.UID != nil {
		o.uid = *n.Attr.UID
	}
	if n.Attr.GID != nil {
		o.gid = *n.Attr.GID
	}
	if n.Attr.Mode != nil {
		o.mode = *n.Attr.Mode
	}
	o.created = n.Attr.Created
	o.mode |= n.Type
	return o
}

// attr is the inverse of owned: what of o deviates from the default.
func (m *mount) attr(o owned, top bool) Attr {
	d := m.owned(Node{Type: o.mode.Type()}, top)
	var a Attr
	if o.uid != d.uid {
		a.UID = &o.uid
	}
	if o.gid != d.gid {
		a.GID = &o.gid
	}
	if mode := o.mode &^ fs.ModeType; mode != d.mode&^fs.ModeType {
		a.Mode = &mode
	}
	a.Created = o.created
	return a
}

// home, group and pub make the mounts. Homes belong to their user and primary group; group folders
// to root and the group, whose bits no mask takes away, for sharing is what they are for; /pub to
// root, and staff act as root there.
func (v *view) home() *mount {
	mask := v.s.o.Mask & 0o777
	return &mount{
		key: v.domain + "/home/" + string(v.c.Login), at: "/", canon: "/home/" + v.c.User,
		uid: v.c.UID, gid: v.c.GID,
		top: 0o700, dir: 0o777 &^ mask, file: 0o666 &^ mask,
		limitBytes: limit(v.c.QuotaBytes, v.s.o.QuotaBytes), limitFiles: limit(v.c.QuotaFiles, v.s.o.QuotaFiles),
	}
}

func (v *view) group(name string, gid uint32) *mount {
	mask := v.s.o.Mask & 0o707
	return &mount{
		key: v.domain + "/groups/" + name, at: "/groups/" + name, canon: "/groups/" + name,
		gid: gid,
		top: 0o770 | fs.ModeSetgid, dir: 0o777&^mask | fs.ModeSetgid, file: 0o666 &^ mask,
		team: true,
	}
}

func (v *view) pub() *mount {
	return &mount{
		key: v.domain + "/pub", at: "/pub", canon: "/pub", house: true,
		top: 0o755, dir: 0o777 &^ pubMask, file: 0o666 &^ pubMask,
		limitBytes: limit(0, v.s.o.PubQuotaBytes), limitFiles: -1,
	}
}

// limit reads a quota: 0 is the default, below it none.
func limit(own, def int64) int64 {
	if own == 0 {
		own = def
	}
	if own <= 0 {
		return -1
	}
	return own
}

// groups lists the group folders that the session may see, by name. A primary group of one's own,
// with the user's name, has none.
func (v *view) groups() []*mount {
	if v.c.Anonymous() {
		return nil
	}
	var out []*mount
	add := func(name string, gid uint32) {
		if name != "" && speakable(name) && !slices.Contains(v.c.NoFolders, name) && v.visible("/groups/"+name) {
			out = append(out, v.group(name, gid))
		}
	}
	if v.c.Group != string(v.c.Login) {
		add(v.c.Group, v.c.GID)
	}
	for i, name := range v.c.Groups {
		if i < len(v.c.GIDs) && name != v.c.Group {
			add(name, v.c.GIDs[i])
		}
	}
	slices.SortFunc(out, func(a, b *mount) int { return strings.Compare(a.key, b.key) })
	return out
}

// resolve finds the mount of a clean client path and the rest of the path in it; nil where the path
// is a folder that only holds mounts.
func (v *view) resolve(p string) (*mount, string, error) {
	segments := split(p)
	if len(segments) > 0 && len(v.s.o.Mounts) > 0 && !slices.Contains(reservedNames(), segments[0]) && v.s.reserved(segments[0]) {
		return v.resolveExtra(p)
	}
	switch {
	case len(segments) == 0 && v.c.Anonymous():
		return nil, "", nil
	case len(segments) > 0 && segments[0] == "pub":
		return v.pub(), p[len("/pub"):], nil
	case v.c.Anonymous():
		return nil, "", fs.ErrNotExist
	case len(segments) > 0 && segments[0] == "groups":
		groups := v.groups()
		if len(groups) == 0 {
			return nil, "", fs.ErrNotExist
		}
		if len(segments) == 1 {
			return nil, "", nil
		}
		for _, m := range groups {
			if m.at == "/groups/"+segments[1] {
				return m, p[len(m.at):], nil
			}
		}
		return nil, "", fs.ErrNotExist
	default:
		return v.home(), p, nil
	}
}

// resolveExtra is resolve where mounts of the settings have the name.
func (v *view) resolveExtra(p string) (*mount, string, error) {
	seen := v.extras(p)
	switch {
	case len(seen) == 0:
		return nil, "", fs.ErrNotExist
	case inside(seen[0].Path, p): // no mount lies in another
		return v.extra(seen[0]), p[len(seen[0].Path):], nil
	default:
		return nil, "", nil // on the way to it
	}
}

// under lists the mounts that a folder shows beside its own entries, by name.
func (v *view) under(p string) []string {
	switch p {
	case "/":
		var names []string
		if len(v.groups()) > 0 {
			names = append(names, "groups")
		}
		if v.visible("/pub") {
			names = append(names, "pub")
		}
		names = append(names, segmentsBelow(v.extras("/"), "")...)
		slices.Sort(names)
		return slices.Compact(names)
	case "/groups":
		var names []string
		for _, m := range v.groups() {
			names = append(names, m.at[len("/groups/"):])
		}
		return names
	}
	names := segmentsBelow(v.extras(p), p)
	slices.Sort(names)
	return names
}

// resource is what the policy is asked about a canonical path.
func resource(canon string) identity.Resource { return identity.Resource("file:" + canon) }
