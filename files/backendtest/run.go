package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/files"
)

// Key is the tree that the tests use; Keys must list it.
const Key = "example.org/home/alice"

// Run tests an empty store, made by open for each part of the contract.
func Run(t *testing.T, open func(t *testing.T) files.Backend) {
	for _, tt := range []struct {
		name string
		run  func(*suite)
	}{
		{"trees", (*suite).trees}, {"names", (*suite).names}, {"parts", (*suite).parts},
		{"write in place", (*suite).inPlace}, {"rename", (*suite).rename}, {"remove", (*suite).remove},
		{"links", (*suite).links}, {"attributes", (*suite).attributes}, {"listing", (*suite).listing},
		{"held folders", (*suite).held}, {"properties", (*suite).props}, {"read while replaced", (*suite).snapshot},
		{"kept", (*suite).kept}, {"second name", (*suite).link},
		{"free", (*suite).free},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t)
			top, err := b.Tree(t.Context(), Key, true)
			if err != nil {
				t.Fatal(err)
			}
			defer top.Close()
			tt.run(&suite{T: t, ctx: t.Context(), b: b, top: top})
		})
	}
}

type suite struct {
	*testing.T
	ctx context.Context
	b   files.Backend
	top files.Top
}

const mode = 0o640

// ok stops the test at an error.
func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// is wants an error.
func (s *suite) is(what string, err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("%s: %v; want %v", what, err, want)
	}
}

// store makes a file by way of a part.
func (s *suite) store(d files.Dir, name, content string) {
	s.Helper()
	p, err := s.top.Part(s.ctx, "c0ffee", true)
	s.ok(err)
	_, err = p.ReadFrom(strings.NewReader(content))
	s.ok(err)
	s.ok(p.Sync())
	s.ok(p.Commit(s.ctx, d, name, mode, files.Attr{}, false))
}

func (s *suite) content(d files.Dir, name string) string {
	s.Helper()
	o, err := d.Open(s.ctx, name)
	s.ok(err)
	defer o.Close()
	b, err := io.ReadAll(o)
	s.ok(err)
	if int64(len(b)) != o.Node().Size {
		s.Errorf("%s: %d bytes, and the node says %d", name, len(b), o.Node().Size)
	}
	return string(b)
}

func (s *suite) mkdir(d files.Dir, name string) files.Dir {
	s.Helper()
	s.ok(d.Mkdir(s.ctx, name, 0o750, files.Attr{}))
	sub, err := d.Dir(s.ctx, name)
	s.ok(err)
	s.Cleanup(func() { _ = sub.Close() })
	return sub
}

func (s *suite) list(d files.Dir) (names []string) {
	s.Helper()
	s.ok(d.ReadDir(s.ctx, func(n files.Node) error { names = append(names, n.Name); return nil }))
	return names
}

func (s *suite) trees() {
	_, err := s.b.Tree(s.ctx, "example.org/home/bob", false)
	s.is("a tree that is not there", err, fs.ErrNotExist)
	for _, key := range []string{"example.org/groups/team", "example.org/pub"} {
		top, err := s.b.Tree(s.ctx, key, true)
		s.ok(err)
		s.ok(top.Close())
	}
	for _, key := range []string{"example.org/home/..", "example.org/home/a\x00b", "../x", "a//b", ""} {
		if top, err := s.b.Tree(s.ctx, key, true); err == nil {
			_ = top.Close()
			s.Errorf("a tree of key %q", key)
		}
	}
	var keys []string
	s.ok(s.b.Keys(s.ctx, func(key string) error { keys = append(keys, key); return nil }))
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"example.org/groups/team", Key, "example.org/pub"}) {
		s.Errorf("keys: %q", keys)
	}
	n, err := s.top.Stat(s.ctx)
	if err != nil || !n.Type.IsDir() || !n.Attr.IsZero() {
		s.Errorf("the top: %+v, %v", n, err)
	}
}

// names: nothing but one segment is a name.
func (s *suite) names() {
	s.store(s.top, "f", "x")
	s.mkdir(s.top, "d")
	for _, n := range []string{"", ".", "..", "d/..", "../alice", "/", "/etc", "a\x00b"} {
		what := fmt.Sprintf("%q ", n)
		fails := func(op string, err error) {
			s.Helper()
			if err == nil {
				s.Error(what + op)
			}
		}
		fails("mkdir", s.top.Mkdir(s.ctx, n, 0o750, files.Attr{}))
		_, err := s.top.Lstat(s.ctx, n)
		fails("lstat", err)
		_, err = s.top.Open(s.ctx, n)
		fails("open", err)
		_, err = s.top.OpenWrite(s.ctx, n)
		fails("write", err)
		fails("remove", s.top.Remove(s.ctx, n))
		fails("rmdir", s.top.RemoveDir(s.ctx, n))
		fails("rename from", s.top.Rename(s.ctx, n, s.top, "x", false))
		fails("rename to", s.top.Rename(s.ctx, "f", s.top, n, false))
		fails("chtimes", s.top.Chtimes(s.ctx, n, time.Now()))
		p, err := s.top.Part(s.ctx, "0a", true)
		s.ok(err)
		fails("commit", p.Commit(s.ctx, s.top, n, mode, files.Attr{}, false))
		s.ok(p.Close())
	}
	for _, n := range []string{"...", " ", "ä", "日本", `a\b`, "-", "a\tb", strings.Repeat("n", 255)} {
		s.store(s.top, n, n)
		if s.content(s.top, n) != n {
			s.Errorf("%q", n)
		}
	}
	_, err := s.top.Lstat(s.ctx, "absent")
	s.is("absent", err, fs.ErrNotExist)
	_, err = s.top.Dir(s.ctx, "absent")
	s.is("absent", err, fs.ErrNotExist)
	_, err = s.top.Dir(s.ctx, "f")
	s.is("a file as folder", err, files.ErrNotDir)
	_, err = s.top.Open(s.ctx, "d")
	s.is("a folder as file", err, files.ErrIsDir)
	_, err = s.top.OpenWrite(s.ctx, "d")
	s.is("a folder as file", err, files.ErrIsDir)
	s.is("again", s.top.Mkdir(s.ctx, "d", 0o750, files.Attr{}), fs.ErrExist)
}

func (s *suite) parts() {
	_, err := s.top.Part(s.ctx, "ab", false)
	s.is("no part", err, fs.ErrNotExist)
	_, err = s.top.StatPart(s.ctx, "ab")
	s.is("no part", err, fs.ErrNotExist)
	p, err := s.top.Part(s.ctx, "ab", true)
	s.ok(err)
	_, err = p.Write([]byte("half"))
	s.ok(err)
	if got := s.list(s.top); len(got) != 0 {
		s.Errorf("parts are listed: %q", got)
	}
	s.ok(p.Close())
	p, err = s.top.Part(s.ctx, "ab", false) // at its end
	s.ok(err)
	_, err = p.ReadFrom(&io.LimitedReader{R: strings.NewReader("and half, too much"), N: 8})
	s.ok(err)
	if n, err := p.Size(); n != 12 || err != nil {
		s.Errorf("size %d, %v", n, err)
	}
	n, err := s.top.StatPart(s.ctx, "ab")
	if err != nil || n.Size != 12 || n.Name != "ab" {
		s.Errorf("%+v, %v", n, err)
	}
	var seen []string
	s.ok(s.top.Parts(s.ctx, func(n files.Node) error { seen = append(seen, n.Name); return nil }))
	if !slices.Equal(seen, []string{"ab"}) {
		s.Errorf("parts: %q", seen)
	}
	sub := s.mkdir(s.top, "sub")
	s.ok(p.Commit(s.ctx, sub, "whole", mode, files.Attr{}, true))
	if s.content(sub, "whole") != "halfand half" {
		s.Errorf("%q", s.content(sub, "whole"))
	}
	_, err = s.top.StatPart(s.ctx, "ab")
	s.is("the part is the file now", err, fs.ErrNotExist)

	p, err = s.top.Part(s.ctx, "cd", true)
	s.ok(err)
	_, err = p.Write([]byte("too much"))
	s.ok(err)
	s.ok(p.Truncate(3))
	_, err = p.Write([]byte("!"))
	s.ok(err)
	s.is("exclusive", p.Commit(s.ctx, sub, "whole", mode, files.Attr{}, true), fs.ErrExist)
	s.ok(p.Commit(s.ctx, sub, "whole", mode, files.Attr{}, false))
	if s.content(sub, "whole") != "too!" {
		s.Errorf("%q", s.content(sub, "whole"))
	}
	p, err = s.top.Part(s.ctx, "ef", true)
	s.ok(err)
	s.mkdir(s.top, "folder")
	s.is("onto a folder", p.Commit(s.ctx, s.top, "folder", mode, files.Attr{}, false), files.ErrIsDir)
	s.ok(p.Close())
	s.ok(s.top.RemovePart(s.ctx, "ef"))
	s.is("again", s.top.RemovePart(s.ctx, "ef"), fs.ErrNotExist)
}

func (s *suite) inPlace() {
	s.store(s.top, "log", "one")
	before, err := s.top.Lstat(s.ctx, "log")
	s.ok(err)
	w, err := s.top.OpenWrite(s.ctx, "log")
	if errors.Is(err, files.ErrUnsupported) {
		s.Skip("the store cannot append in place")
	}
	s.ok(err)
	_, err = w.Write([]byte(" two"))
	s.ok(err)
	s.ok(w.Sync())
	s.ok(w.Truncate(5))
	_, err = w.ReadFrom(strings.NewReader("!"))
	s.ok(err)
	s.ok(w.Close())
	after, err := s.top.Lstat(s.ctx, "log")
	s.ok(err)
	if s.content(s.top, "log") != "one t!" || before.Unique != after.Unique || after.Size != 6 {
		s.Errorf("%q, %+v", s.content(s.top, "log"), after)
	}
	_, err = s.top.OpenWrite(s.ctx, "absent")
	s.is("absent", err, fs.ErrNotExist)
}

func (s *suite) rename() {
	a, b := s.mkdir(s.top, "a"), s.mkdir(s.top, "b")
	s.store(a, "f", "f")
	s.store(b, "g", "g")
	s.is("exclusive", a.Rename(s.ctx, "f", b, "g", true), fs.ErrExist)
	s.ok(a.Rename(s.ctx, "f", b, "g", false))
	if s.content(b, "g") != "f" || len(s.list(a)) != 0 {
		s.Error("not moved")
	}
	s.is("a folder on an empty folder", s.top.Rename(s.ctx, "b", s.top, "a", false), fs.ErrExist)
	s.is("a file on a folder", b.Rename(s.ctx, "g", s.top, "a", false), files.ErrIsDir)
	if err := s.top.Rename(s.ctx, "b", b, "x", false); err == nil {
		s.Error("a folder was moved into itself")
	}
	s.is("absent", a.Rename(s.ctx, "absent", b, "x", false), fs.ErrNotExist)
	s.ok(s.top.Rename(s.ctx, "b", a, "c", false))
	if s.content(b, "g") != "f" {
		s.Error("the opened folder is the same by another name")
	}
	s.ok(a.Sync(s.ctx))
}

func (s *suite) remove() {
	d := s.mkdir(s.top, "d")
	s.store(d, "f", "x")
	s.is("not empty", s.top.RemoveDir(s.ctx, "d"), files.ErrNotEmpty)
	s.is("a folder", s.top.Remove(s.ctx, "d"), files.ErrIsDir)
	s.is("a file", d.RemoveDir(s.ctx, "f"), files.ErrNotDir)
	s.ok(d.Remove(s.ctx, "f"))
	s.is("again", d.Remove(s.ctx, "f"), fs.ErrNotExist)
	s.ok(s.top.RemoveDir(s.ctx, "d"))
	s.is("again", s.top.RemoveDir(s.ctx, "d"), fs.ErrNotExist)
}

func (s *suite) links() {
	if !s.b.Features().Links {
		s.is("a link", s.top.Symlink(s.ctx, "x", "l"), files.ErrUnsupported)
		return
	}
	d := s.mkdir(s.top, "d")
	s.store(d, "f", "x")
	s.ok(s.top.Symlink(s.ctx, "d", "l"))
	s.ok(d.Symlink(s.ctx, "f", "lf"))
	s.is("again", s.top.Symlink(s.ctx, "d", "l"), fs.ErrExist)
	_, gone := s.top.Readlink(s.ctx, "d")
	s.is("a folder, which was a link a moment before", gone, fs.ErrNotExist)
	if to, err := s.top.Readlink(s.ctx, "l"); to != "d" || err != nil {
		s.Errorf("%q, %v", to, err)
	}
	n, err := s.top.Lstat(s.ctx, "l")
	if err != nil || n.Type != fs.ModeSymlink {
		s.Errorf("%+v, %v", n, err)
	}
	_, err = s.top.Dir(s.ctx, "l")
	s.is("a link as folder", err, files.ErrNotDir)
	if o, err := d.Open(s.ctx, "lf"); err == nil {
		_ = o.Close()
		s.Error("a link was followed")
	}
	if w, err := d.OpenWrite(s.ctx, "lf"); err == nil {
		_ = w.Close()
		s.Error("a link was followed to be written")
	}
	s.is("attributes of a link", d.SetAttr(s.ctx, "lf", 0o600, files.Attr{}), files.ErrUnsupported)
	s.is("rmdir of a link", s.top.RemoveDir(s.ctx, "l"), files.ErrNotDir)
	s.store(d, "lf", "instead of the link")
	if s.content(d, "f") != "x" {
		s.Error("written through a link")
	}
	s.ok(s.top.Remove(s.ctx, "l"))
	if len(s.list(d)) != 2 {
		s.Error("the folder behind the link")
	}
}

func (s *suite) attributes() {
	if s.b.Features().Owners {
		s.owners()
		return
	}
	d := s.mkdir(s.top, "d")
	s.store(d, "f", "x")
	s.store(d, "plain", "x")
	uid, gid, closed := uint32(4711), uint32(4712), fs.FileMode(0o2600)&0o777|fs.ModeSetgid|fs.ModeSticky
	a := files.Attr{UID: &uid, GID: &gid, Mode: &closed}
	if !s.b.Features().Attrs {
		s.is("attributes", d.SetAttr(s.ctx, "f", 0o600, a), files.ErrUnsupported)
		if s.b.Features().Why == "" {
			s.Error("why not?")
		}
		return
	}
	check := func(what string, got files.Attr, want files.Attr) {
		s.Helper()
		if text(got) != text(want) {
			s.Errorf("%s: %s; want %s", what, text(got), text(want))
		}
	}
	all := func(d files.Dir, want map[string]files.Attr) {
		s.Helper()
		s.ok(d.ReadDir(s.ctx, func(n files.Node) error {
			check("listed "+n.Name, n.Attr, want[n.Name])
			one, err := d.Lstat(s.ctx, n.Name)
			check("lstat "+n.Name, one.Attr, want[n.Name])
			return err
		}))
	}
	all(d, nil)
	s.ok(d.SetAttr(s.ctx, "f", 0o600, a))
	all(d, map[string]files.Attr{"f": a})
	o, err := d.Open(s.ctx, "f")
	s.ok(err)
	check("opened", o.Node().Attr, a)
	s.ok(o.Close())
	s.ok(d.SetAttr(s.ctx, "f", 0o600, files.Attr{GID: &gid}))
	all(d, map[string]files.Attr{"f": {GID: &gid}})

	// They go along, into a folder where nothing deviated, and by a part and a new folder.
	e := s.mkdir(s.top, "e")
	s.ok(d.Rename(s.ctx, "f", e, "g", false))
	all(e, map[string]files.Attr{"g": {GID: &gid}})
	h := s.mkdir(s.top, "h")
	p, err := s.top.Part(s.ctx, "aa", true)
	s.ok(err)
	s.ok(p.Commit(s.ctx, h, "i", 0o600, files.Attr{UID: &uid}, false))
	s.ok(h.Mkdir(s.ctx, "j", 0o700, files.Attr{Mode: &closed}))
	all(h, map[string]files.Attr{"i": {UID: &uid}, "j": {Mode: &closed}})
	j, err := h.Dir(s.ctx, "j")
	s.ok(err)
	defer j.Close()
	n, err := j.Stat(s.ctx)
	s.ok(err)
	check("opened folder", n.Attr, files.Attr{Mode: &closed})
	s.ok(j.Mkdir(s.ctx, "k", 0o700, files.Attr{UID: &uid})) // a mark takes nothing away
	n, err = j.Stat(s.ctx)
	s.ok(err)
	check("marked folder", n.Attr, files.Attr{Mode: &closed})
	s.ok(h.SetAttr(s.ctx, "j", 0o700, files.Attr{}))
	all(j, map[string]files.Attr{"k": {UID: &uid}})

	s.ok(s.top.SetAttr(s.ctx, ".", 0o700, files.Attr{UID: &uid}))
	n, err = s.top.Stat(s.ctx)
	s.ok(err)
	check("the top", n.Attr, files.Attr{UID: &uid})
	s.is("absent", d.SetAttr(s.ctx, "absent", 0o600, a), fs.ErrNotExist)
	s.created(d, "plain")
}

// created: a time of creation that was set is kept beside the other attributes.
func (s *suite) created(d files.Dir, name string) {
	born, uid := time.Date(1601, 2, 3, 4, 5, 6, 0, time.UTC), uint32(4711)
	s.ok(d.SetAttr(s.ctx, name, 0o600, files.Attr{UID: &uid, Created: &born}))
	n, err := d.Lstat(s.ctx, name)
	s.ok(err)
	if n.Attr.Created == nil || !n.Attr.Created.Equal(born) || n.Attr.UID == nil || *n.Attr.UID != uid {
		s.Errorf("created %v of %s, want %v", n.Attr.Created, text(n.Attr), born)
	}
}

// owners: where the store keeps owner, group and mode of every entry, it has them as they were given.
func (s *suite) owners() {
	give := func(uid, gid uint32, mode fs.FileMode) files.Attr {
		return files.Attr{UID: &uid, GID: &gid, Mode: &mode}
	}
	is := func(what string, got files.Attr, err error, want files.Attr) {
		s.Helper()
		if err != nil || text(got) != text(want) {
			s.Errorf("%s: %s, %v; want %s", what, text(got), err, text(want))
		}
	}
	a, b := give(4711, 4712, 0o640), give(4713, 4714, 0o770|fs.ModeSetgid|fs.ModeSticky)
	s.ok(s.top.Mkdir(s.ctx, "d", *b.Mode, b))
	d, err := s.top.Dir(s.ctx, "d")
	s.ok(err)
	defer d.Close()
	n, err := d.Stat(s.ctx)
	is("opened folder", n.Attr, err, b)
	s.is("again", s.top.Mkdir(s.ctx, "d", *b.Mode, b), fs.ErrExist)
	p, err := s.top.Part(s.ctx, "aa", true)
	s.ok(err)
	s.ok(p.Commit(s.ctx, d, "f", *a.Mode, a, false))
	n, err = d.Lstat(s.ctx, "f")
	is("committed", n.Attr, err, a)
	o, err := d.Open(s.ctx, "f")
	s.ok(err)
	is("opened", o.Node().Attr, nil, a)
	s.ok(o.Close())
	c := give(1, 2, 0)
	s.ok(d.SetAttr(s.ctx, "f", 0, c))
	s.ok(d.ReadDir(s.ctx, func(n files.Node) error { is("listed", n.Attr, nil, c); return nil }))
	s.ok(d.Rename(s.ctx, "f", s.top, "g", false))
	n, err = s.top.Lstat(s.ctx, "g")
	is("renamed", n.Attr, err, c)
	s.ok(s.top.SetAttr(s.ctx, ".", *b.Mode, b))
	n, err = s.top.Stat(s.ctx)
	is("the top", n.Attr, err, b)
	s.is("absent", d.SetAttr(s.ctx, "absent", 0o600, a), fs.ErrNotExist)
	if s.b.Features().Links {
		s.ok(s.top.Symlink(s.ctx, "g", "l"))
		n, err = s.top.Lstat(s.ctx, "l")
		is("a link", n.Attr, err, files.Attr{})
	}
}

func text(a files.Attr) string {
	var b strings.Builder
	if a.UID != nil {
		fmt.Fprintf(&b, "u%d ", *a.UID)
	}
	if a.GID != nil {
		fmt.Fprintf(&b, "g%d ", *a.GID)
	}
	if a.Mode != nil {
		fmt.Fprintf(&b, "m%v", *a.Mode)
	}
	return b.String()
}

func (s *suite) listing() {
	names := []string{"B", "a", "ä", "a b", "Z", "_", "10", "9"}
	for _, n := range names {
		s.store(s.top, n, n)
	}
	slices.Sort(names)
	if got := s.list(s.top); !slices.Equal(got, names) {
		s.Errorf("%q; want %q", got, names)
	}
	s.mkdir(s.top, "sub")
	links := s.b.Features().Links
	if links {
		s.ok(s.top.Symlink(s.ctx, "a", "to a"))
	}
	var got, want []string
	s.ok(s.top.ReadDir(s.ctx, func(n files.Node) error { want = append(want, n.Name+" "+n.Type.String()); return nil }))
	s.ok(s.top.ReadNames(s.ctx, func(name string, typ fs.FileMode) error { got = append(got, name+" "+typ.String()); return nil }))
	if !slices.Equal(got, want) || len(got) < len(names)+1 {
		s.Errorf("names alone: %q; with all else: %q", got, want)
	}
	s.ok(s.top.RemoveDir(s.ctx, "sub"))
	if links {
		s.ok(s.top.Remove(s.ctx, "to a"))
	}
	enough, calls := errors.New("enough"), 0
	if err := s.top.ReadNames(s.ctx, func(string, fs.FileMode) error { calls++; return enough }); err != enough || calls != 1 {
		s.Errorf("%v after %d", err, calls)
	}
	calls = 0
	if err := s.top.ReadDir(s.ctx, func(files.Node) error { calls++; return enough }); err != enough || calls != 1 {
		s.Errorf("%v after %d", err, calls)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	err := s.top.ReadDir(ctx, func(files.Node) error { cancel(); return nil })
	s.is("cancelled", err, context.Canceled)
	// What is removed while the folder is read is left out or shown, but no error.
	s.ok(s.top.ReadDir(s.ctx, func(n files.Node) error {
		if n.Name == names[0] {
			return s.top.Remove(s.ctx, names[len(names)-1])
		}
		return nil
	}))
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	s.ok(s.top.Chtimes(s.ctx, "a", when))
	n, err := s.top.Lstat(s.ctx, "a")
	if err != nil || !n.ModTime.Equal(when) || n.Size != 1 || n.Type != 0 || n.Links < 1 || n.Unique == "" {
		s.Errorf("%+v, %v", n, err)
	}
	s.is("chtimes of nothing", s.top.Chtimes(s.ctx, "absent", when), fs.ErrNotExist)
}

// held: a folder that is removed takes nothing more, whatever stands by its name then.
func (s *suite) held() {
	d := s.mkdir(s.top, "d")
	s.ok(s.top.RemoveDir(s.ctx, "d"))
	again := s.mkdir(s.top, "d")
	p, err := s.top.Part(s.ctx, "bb", true)
	s.ok(err)
	s.is("into a removed folder", p.Commit(s.ctx, d, "f", mode, files.Attr{}, false), fs.ErrNotExist)
	s.is("mkdir in it", d.Mkdir(s.ctx, "x", 0o700, files.Attr{}), fs.ErrNotExist)
	s.ok(p.Commit(s.ctx, again, "f", mode, files.Attr{}, false))
}

func (s *suite) snapshot() {
	s.store(s.top, "f", "the old content")
	o, err := s.top.Open(s.ctx, "f")
	s.ok(err)
	defer o.Close()
	s.store(s.top, "f", "new")
	s.ok(s.top.Remove(s.ctx, "f"))
	b, err := io.ReadAll(o)
	if err != nil || string(b) != "the old content" {
		s.Errorf("%q, %v", b, err)
	}
	if _, err := o.Seek(4, io.SeekStart); err != nil {
		s.Error(err)
	}
	at := make([]byte, 3)
	if _, err := o.ReadAt(at, 4); err != nil || string(at) != "old" {
		s.Errorf("%q, %v", at, err)
	}
}

// free: a number that a file can fit in, or no knowledge.
func (s *suite) free() {
	n, err := s.top.Free(s.ctx)
	if errors.Is(err, files.ErrUnsupported) {
		s.Skip("this store does not know what is left")
	}
	s.ok(err)
	if n <= 0 {
		s.Errorf("%d bytes are left, on a disk that tests run on", n)
	}
}
