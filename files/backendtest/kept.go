package backendtest

import (
	"errors"
	"io/fs"
	"slices"

	"trivium/files"
)

// kept: the store's own folders are folders like others, and out of sight.
func (s *suite) kept() {
	for _, kind := range []string{"", ".", "..", "parts", "other", "trash/x"} {
		d, err := s.top.Kept(s.ctx, kind, true)
		s.is("kind "+kind, err, files.ErrName)
		if err == nil {
			_ = d.Close()
		}
	}
	for _, kind := range files.Kinds() {
		_, err := s.top.Kept(s.ctx, kind, false)
		s.is("none yet", err, fs.ErrNotExist)
		kept, err := s.top.Kept(s.ctx, kind, true)
		s.ok(err)
		defer kept.Close()
		s.store(s.top, "f", kind)
		sub := s.mkdir(s.top, "d")
		s.store(sub, "in", "inside")
		uid := uint32(4711)
		deviates := s.b.Features().Attrs
		if deviates {
			s.ok(s.top.SetAttr(s.ctx, "f", mode, files.Attr{UID: &uid}))
		}
		s.ok(s.top.Rename(s.ctx, "f", kept, "01", true))
		s.ok(s.top.Rename(s.ctx, "d", kept, "02", true))
		s.ok(kept.Sync(s.ctx))
		if got := s.list(s.top); len(got) != 0 {
			s.Errorf("what is kept is listed: %q", got)
		}
		s.ok(s.top.Parts(s.ctx, func(n files.Node) error {
			s.Errorf("%s is among the parts", n.Name)
			return nil
		}))
		var keys []string
		s.ok(s.b.Keys(s.ctx, func(key string) error { keys = append(keys, key); return nil }))
		if !slices.Equal(keys, []string{Key}) {
			s.Errorf("keys: %q", keys)
		}
		again, err := s.top.Kept(s.ctx, kind, false)
		s.ok(err)
		if got := s.list(again); !slices.Equal(got, []string{"01", "02"}) {
			s.Errorf("kept: %q", got)
		}
		if got := s.content(again, "01"); got != kind {
			s.Errorf("%q", got)
		}
		n, err := again.Lstat(s.ctx, "01")
		s.ok(err)
		if deviates && (n.Attr.UID == nil || *n.Attr.UID != uid) {
			s.Errorf("its attributes: %s", text(n.Attr))
		}
		folder, err := again.Dir(s.ctx, "02")
		s.ok(err)
		if got := s.content(folder, "in"); got != "inside" {
			s.Errorf("%q", got)
		}
		s.ok(folder.Close())
		s.ok(again.Rename(s.ctx, "02", s.top, "back", true))
		if got := s.content(sub, "in"); got != "inside" {
			s.Errorf("%q", got)
		}
		s.ok(again.Remove(s.ctx, "01"))
		s.ok(sub.Remove(s.ctx, "in"))
		s.ok(s.top.RemoveDir(s.ctx, "back"))
		s.ok(again.Close())
	}
}

// link: a second name outlives what happens to the first.
func (s *suite) link() {
	kept, err := s.top.Kept(s.ctx, files.KeptVersions, true)
	s.ok(err)
	defer kept.Close()
	s.store(s.top, "f", "one")
	err = s.top.Link(s.ctx, "f", kept, "01")
	if errors.Is(err, files.ErrUnsupported) {
		s.Skip("the store gives no second names")
	}
	s.ok(err)
	s.store(s.top, "f", "two")
	if a, b := s.content(s.top, "f"), s.content(kept, "01"); a != "two" || b != "one" {
		s.Errorf("%q and %q", a, b)
	}
	s.is("again", s.top.Link(s.ctx, "f", kept, "01"), fs.ErrExist)
	s.is("of nothing", s.top.Link(s.ctx, "absent", kept, "02"), fs.ErrNotExist)
	s.mkdir(s.top, "d")
	s.is("of a folder", s.top.Link(s.ctx, "d", kept, "02"), files.ErrIsDir)
	s.is("by no name", s.top.Link(s.ctx, "f", kept, "../02"), files.ErrName)
	if s.b.Features().Links {
		s.ok(s.top.Symlink(s.ctx, "f", "l"))
		s.is("of a link", s.top.Link(s.ctx, "l", kept, "02"), files.ErrUnsupported)
	}
	s.ok(kept.Rename(s.ctx, "01", s.top, "f", false))
	if got := s.content(s.top, "f"); got != "one" {
		s.Errorf("%q", got)
	}
}
