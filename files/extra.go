package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"trivium/identity"
)

// Mount is a tree that shows beside the homes' own entries, the same in all domains. Its canonical
// path is its path.
type Mount struct {
	Path    string  // where clients see it, of one or two segments
	Backend Backend // holds one tree, of the key MountKey(Path)

	Owner, Group string      // of what says nothing else, by name or number; "" or unknown: root
	Mode         fs.FileMode // of the top: permission, setgid and sticky bits
	Mask         fs.FileMode // umask
	ReadOnly     bool        // nobody changes anything in it

	QuotaBytes int64 // 0: none
	QuotaFiles int64 // 0: none

	Level     identity.Level // who holds less does not see it
	Groups    []string       // who is in none of them does not see it; empty: everybody sees it
	Anonymous bool           // anonymous sessions see it too, whatever Level says
}

// mountKeys begin the keys of mounts. Keys of other trees begin with a domain and go on with home,
// groups or pub, which no mount does.
const mountKeys = "mounts"

// MountKey is the key of the mount's tree.
func MountKey(p string) string { return mountKeys + p }

// reservedNames are the names at "/" that belong to no home.
func reservedNames() []string { return []string{"groups", "pub"} }

// CheckMountPath says what is wrong with the path of a mount.
func CheckMountPath(p string) error {
	if clean, err := Clean("/", p); err != nil || clean != p || p == "/" {
		return errors.New("it is not a clean path such as /media")
	}
	segments := split(p)
	switch {
	case len(segments) > 2:
		return errors.New("it has more than two segments")
	case slices.Contains(append(reservedNames(), "home", ".trivium"), segments[0]):
		return fmt.Errorf("/%s is taken", segments[0])
	}
	return nil
}

// checkMounts says which mount cannot be.
func checkMounts(mounts []Mount) error {
	for i, m := range mounts {
		if err := CheckMountPath(m.Path); err != nil {
			return fmt.Errorf("files: mount %q: %w", m.Path, err)
		}
		if m.Backend == nil {
			return fmt.Errorf("files: mount %q: a backend is needed", m.Path)
		}
		for _, other := range mounts[:i] {
			if inside(m.Path, other.Path) || inside(other.Path, m.Path) {
				return fmt.Errorf("files: mount %q meets mount %q", m.Path, other.Path)
			}
		}
	}
	return nil
}

// sees reports whether the session may see the mount at all. The policy comes after it.
func (v *view) sees(m *Mount) bool {
	switch {
	case v.c.Anonymous():
		return m.Anonymous
	case !v.c.Level.Allows(m.Level):
		return false
	case len(m.Groups) == 0:
		return true
	}
	return slices.ContainsFunc(m.Groups, func(name string) bool {
		gid, ok := v.s.gid(name)
		return ok && v.c.In(gid)
	})
}

// gid and uid read what the settings say: a name of the default domain, or a number.
func (s *Service) gid(name string) (uint32, bool) {
	if s.o.Names != nil {
		if gid, ok := s.o.Names.FindGroup(s.o.Domain, name); ok {
			return gid, true
		}
	}
	return number(name)
}

func (s *Service) uid(name string) (uint32, bool) {
	if s.o.Names != nil {
		if uid, ok := s.o.Names.FindUser(s.o.Domain, name); ok {
			return uid, true
		}
	}
	return number(name)
}

// extra makes a mount of the settings. A setgid top makes setgid folders.
func (v *view) extra(m *Mount) *mount {
	uid, _ := v.s.uid(m.Owner)
	gid, _ := v.s.gid(m.Group)
	mask := m.Mask & 0o777
	return &mount{
		key: MountKey(m.Path), at: m.Path, canon: m.Path, readOnly: m.ReadOnly,
		uid: uid, gid: gid,
		top: m.Mode &^ fs.ModeType, dir: 0o777&^mask | m.Mode&fs.ModeSetgid, file: 0o666 &^ mask,
		limitBytes: limit(0, m.QuotaBytes), limitFiles: limit(0, m.QuotaFiles),
	}
}

// extras lists the mounts of the settings that the session sees at a path, above or below it.
func (v *view) extras(p string) (seen []*Mount) {
	for i := range v.s.o.Mounts {
		m := &v.s.o.Mounts[i]
		if (inside(m.Path, p) || inside(p, m.Path)) && v.sees(m) && v.visible(m.Path) {
			seen = append(seen, m)
		}
	}
	return seen
}

// reserved reports whether a name at "/" is one of a mount's, whoever may see that.
func (s *Service) reserved(name string) bool {
	return slices.Contains(reservedNames(), name) || slices.ContainsFunc(s.o.Mounts, func(m Mount) bool {
		return split(m.Path)[0] == name
	})
}

// reservedFolded is reserved for a name in any case.
func (s *Service) reservedFolded(name string) bool {
	name = Folded(name)
	same := func(other string) bool { return Folded(other) == name }
	return slices.ContainsFunc(reservedNames(), same) || slices.ContainsFunc(s.o.Mounts, func(m Mount) bool {
		return same(split(m.Path)[0])
	})
}

// mountOf is the mount of a tree's key; nil for any other tree.
func (s *Service) mountOf(key string) *Mount {
	for i := range s.o.Mounts {
		if MountKey(s.o.Mounts[i].Path) == key {
			return &s.o.Mounts[i]
		}
	}
	return nil
}

// segmentsBelow lists the first segments of mounts under a folder.
func segmentsBelow(mounts []*Mount, p string) (names []string) {
	for _, m := range mounts {
		if m.Path != p {
			name, _, _ := strings.Cut(strings.TrimPrefix(m.Path[len(p):], "/"), "/")
			names = append(names, name)
		}
	}
	return names
}

// backends puts the trees of mounts beside those of the main store.
type backends struct {
	Backend
	mounts map[string]Backend // by key
}

func newBackends(o Options) Backend {
	if len(o.Mounts) == 0 {
		return o.Backend
	}
	b := &backends{Backend: o.Backend, mounts: map[string]Backend{}}
	for _, m := range o.Mounts {
		b.mounts[MountKey(m.Path)] = m.Backend
	}
	return b
}

// of gives the store of a key.
func (b *backends) of(key string) Backend {
	if m := b.mounts[key]; m != nil {
		return m
	}
	return b.Backend
}

// Tree implements Backend.
func (b *backends) Tree(ctx context.Context, key string, create bool) (Top, error) {
	return b.of(key).Tree(ctx, key, create)
}

// Keys implements Backend.
func (b *backends) Keys(ctx context.Context, fn func(key string) error) error {
	if err := b.Backend.Keys(ctx, fn); err != nil {
		return err
	}
	for _, m := range b.mounts {
		if err := m.Keys(ctx, fn); err != nil {
			return err
		}
	}
	return nil
}

// Sweep lets each store sweep that has something to sweep.
func (b *backends) Sweep(ctx context.Context) (removed int, err error) {
	sweep := func(store Backend) {
		if s, ok := store.(interface {
			Sweep(ctx context.Context) (int, error)
		}); ok {
			n, swept := s.Sweep(ctx)
			removed, err = removed+n, errors.Join(err, swept)
		}
	}
	sweep(b.Backend)
	for _, m := range b.mounts {
		sweep(m)
	}
	return removed, err
}

// features says what the store of a tree can keep.
func (s *Service) features(key string) Features {
	if b, ok := s.o.Backend.(*backends); ok {
		return b.of(key).Features()
	}
	return s.o.Backend.Features()
}
