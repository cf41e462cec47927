package files

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// ReadDir calls fn with each entry, sorted by the bytes of the names, while the folder is read; an
// error of fn ends it and is returned as it is. Hidden entries, parts and names that no client could
// say are left out; what is no file, folder or link too.
func (t *Tree) ReadDir(ctx context.Context, p string, fn func(Info) error) error {
	return t.read(ctx, p, func(l *listing) error {
		return l.infos(ctx, func(i *Info) error { return fn(*i) })
	})
}

// ReadDirAccess is ReadDir that says of each entry what the session may do with it, as Access does.
func (t *Tree) ReadDirAccess(ctx context.Context, p string, fn func(Info, Access) error) error {
	return t.read(ctx, p, func(l *listing) error {
		return l.infos(ctx, func(i *Info) error { return fn(*i, l.v.access(i)) })
	})
}

// ReadNames is ReadDir that looks at no entry: it gives names and types (0, fs.ModeDir,
// fs.ModeSymlink) alone.
func (t *Tree) ReadNames(ctx context.Context, p string, fn func(name string, typ fs.FileMode) error) error {
	return t.read(ctx, p, func(l *listing) error { return l.names(ctx, fn) })
}

// listing is one folder that is read for one session.
type listing struct {
	v     *view
	at    string // as the client says it
	m     *mount // nil: a folder that only holds mounts
	dir   Dir
	o     *owned // of dir
	base  string // canonical path of dir
	shown []string
	sight sight

	owners, groups names
}

// names are those that a listing has looked up.
type names struct {
	id    uint32 // the last one; most entries have the same
	name  string // of id; "" before the first
	known map[uint32]string
}

func (n *names) of(id uint32, look func(uint32) string) string {
	if n.name != "" && n.id == id {
		return n.name
	}
	name, ok := n.known[id]
	if !ok {
		const most = 1000 // of them are kept
		name = look(id)
		if n.known == nil || len(n.known) == most {
			n.known = map[uint32]string{}
		}
		n.known[id] = name
	}
	n.id, n.name = id, name
	return name
}

// read opens a folder to be listed.
func (t *Tree) read(ctx context.Context, p string, fn func(*listing) error) error {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return failed("list", p, err)
	}
	defer s.close()
	v.checks = Checks{} // they are about the folder, and mounts that show in it are walked to
	if s.m == nil {
		if !v.c.MayRead() {
			return failed("list", p, fs.ErrPermission)
		}
		return fn(&listing{v: v, at: s.at, shown: v.under(s.at)})
	}
	if !s.exists {
		return failed("list", p, fs.ErrNotExist)
	}
	if !s.node.Type.IsDir() {
		return failed("list", p, ErrNotDir)
	}
	dir, o := s.dir, s.owned()
	if s.name != "" {
		if dir, err = s.dir.Dir(ctx, s.name); err != nil {
			return failed("list", p, err)
		}
		defer dir.Close()
		node, err := dir.Stat(ctx)
		if err != nil {
			return failed("list", p, err)
		}
		o = s.m.owned(node, false)
	}
	if !v.read(s.m, o, s.canon()) {
		return failed("list", p, fs.ErrPermission)
	}
	l := &listing{v: v, at: s.at, m: s.m, dir: dir, o: &o, base: s.canon()}
	l.sight = v.sight(l.base)
	if s.at == "/" {
		l.shown = v.under("/")
	}
	return fn(l)
}

// infos calls fn with each entry, which is good until fn returns. At "/", the mounts stand among
// the home's own entries, in their order, and hide those of the same name.
func (l *listing) infos(ctx context.Context, fn func(*Info) error) error {
	if l.m == nil {
		return l.mounts(ctx, "", fn)
	}
	var one Info
	var stopped error
	err := l.dir.ReadDir(ctx, func(n Node) error {
		if len(l.shown) > 0 {
			if stopped = l.mounts(ctx, n.Name, fn); stopped != nil {
				return stopped
			}
		}
		if !l.shows(n.Name, n.Type) {
			return nil
		}
		if !l.info(ctx, &n, &one) {
			return nil // gone meanwhile
		}
		stopped = fn(&one)
		return stopped
	})
	return l.end(ctx, stopped, err, fn)
}

// end is what comes behind a folder's own entries: an error of the caller as it is, one of the folder
// explained, else the mounts that are left.
func (l *listing) end(ctx context.Context, stopped, err error, fn func(*Info) error) error {
	switch {
	case stopped != nil:
		return stopped
	case err != nil:
		return failed("list", l.at, err)
	}
	return l.mounts(ctx, "", fn)
}

// names is infos without looking at the entries.
func (l *listing) names(ctx context.Context, fn func(name string, typ fs.FileMode) error) error {
	mount := func(i *Info) error { return fn(i.Name, i.Mode.Type()) }
	if l.m == nil {
		return l.mounts(ctx, "", mount)
	}
	var stopped error
	err := l.dir.ReadNames(ctx, func(name string, typ fs.FileMode) error {
		if len(l.shown) > 0 {
			if stopped = l.mounts(ctx, name, mount); stopped != nil {
				return stopped
			}
		}
		if l.shows(name, typ) {
			stopped = fn(name, typ)
		}
		return stopped
	})
	return l.end(ctx, stopped, err, mount)
}

// mounts calls fn with the tops of mounts that are due: those up to a name, or all that are left.
func (l *listing) mounts(ctx context.Context, until string, fn func(*Info) error) error {
	for len(l.shown) > 0 && (until == "" || l.shown[0] <= until) {
		at := path.Join(l.at, l.shown[0])
		l.shown = l.shown[1:]
		i, err := l.v.stat(ctx, at, true)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return failed("list", at, err)
		}
		if err := fn(&i); err != nil {
			return err
		}
	}
	return nil
}

// shows reports whether the session may see the entry.
func (l *listing) shows(name string, typ fs.FileMode) bool {
	return typ&^(fs.ModeDir|fs.ModeSymlink) == 0 && speakable(name) && !(len(l.at) == 1 && l.v.s.reserved(name)) && l.sight.sees(name)
}

// info is view.info of an entry of the folder; false where it is no more.
func (l *listing) info(ctx context.Context, n *Node, i *Info) bool {
	canon := l.base + "/" + n.Name
	*i = entry(l.m, *n, l.m.owned(*n, false), canon, l.o)
	switch {
	case l.at == "/":
		i.Path = canon[len(l.base):]
	case strings.HasSuffix(l.base, l.at):
		i.Path = canon[len(l.base)-len(l.at):]
	default:
		i.Path = l.at + "/" + n.Name
	}
	i.Owner, i.Group = l.owners.of(i.UID, l.v.userName), l.groups.of(i.GID, l.v.groupName)
	if i.Link {
		target, err := l.dir.Readlink(ctx, n.Name)
		if err != nil {
			return false
		}
		i.Target = target
	}
	return true
}

// sight answers view.visible for the entries of one folder: the policy is asked once for all whose
// names no rule says, and once for each of the others.
type sight struct {
	v     *view
	base  string
	each  bool // the policy does not list its rules
	named []string
	asked bool
	rest  bool // the answer for names that no rule says
	token bool // the token reaches all that is in the folder
}

func (v *view) sight(base string) sight {
	g := sight{v: v, base: base, token: v.granted(base)}
	if v.s.o.Policy == nil {
		g.asked, g.rest = true, true
		return g
	}
	rules, ok := v.rules()
	g.each = !ok
	here := split(base)
	for _, r := range rules {
		if name, ok := apart(r.segments, here); ok {
			g.named = append(g.named, name)
		}
	}
	return g
}

// apart gives the one entry of a folder that the pattern sets apart from the others, if there is one.
func apart(pattern, folder []string) (string, bool) {
	if len(pattern) <= len(folder) {
		return "", false
	}
	for i, segment := range folder {
		if pattern[i] != "*" && pattern[i] != segment {
			return "", false // "**" is alike for all
		}
	}
	name := pattern[len(folder)]
	return name, name != "*" && name != "**"
}

func (g *sight) sees(name string) bool {
	if g.each || len(g.named) > 0 && (slices.Contains(g.named, name) || !norm.NFC.IsNormalString(name)) {
		return g.v.visible(g.base + "/" + name)
	}
	if !g.asked {
		g.asked, g.rest = true, g.v.s.o.Policy.Allowed(g.v.ses, resource(g.base+"/"+name))
	}
	if !g.rest || g.token {
		return g.rest
	}
	canon := g.base + "/" + name
	return g.v.granted(canon) || inside(canon, g.v.c.Grant.Path)
}
