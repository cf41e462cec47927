package backendtest

import (
	"io/fs"
	"strings"

	"trivium/files"
)

// props: bytes that go where the entry goes.
func (s *suite) props() {
	s.store(s.top, "f", "x")
	d := s.mkdir(s.top, "d")
	if !s.b.Features().Attrs {
		s.is("properties", s.top.SetProps(s.ctx, "f", []byte("p")), files.ErrUnsupported)
		return
	}
	has := func(d files.Dir, name, want string) {
		s.Helper()
		got, err := d.Props(s.ctx, name)
		if err != nil || string(got) != want || (got == nil) != (want == "") {
			s.Errorf("properties of %s: %q, %v; want %q", name, got, err, want)
		}
	}
	has(s.top, "f", "")
	has(s.top, ".", "")
	full := strings.Repeat("\x00\xff", files.MaxProps/2)
	s.ok(s.top.SetProps(s.ctx, "f", []byte(full)))
	s.is("one byte too many", s.top.SetProps(s.ctx, "f", []byte(full+"x")), files.ErrQuota)
	has(s.top, "f", full)
	s.ok(s.top.SetProps(s.ctx, "f", []byte("one")))
	s.ok(s.top.SetProps(s.ctx, "d", []byte("two")))
	s.ok(d.SetProps(s.ctx, ".", []byte("three")))
	has(s.top, "d", "three")
	s.ok(s.top.SetProps(s.ctx, ".", []byte("top")))
	has(s.top, ".", "top")
	s.is("of what is not there", s.top.SetProps(s.ctx, "none", []byte("p")), fs.ErrNotExist)

	uid := uint32(7)
	s.ok(s.top.SetAttr(s.ctx, "f", mode, files.Attr{UID: &uid}))
	has(s.top, "f", "one")
	s.ok(s.top.Rename(s.ctx, "f", d, "g", false))
	has(d, "g", "one")
	if n, err := d.Lstat(s.ctx, "g"); err != nil || n.Attr.UID == nil {
		s.Errorf("the owner was lost: %+v, %v", n, err)
	}
	s.ok(d.SetAttr(s.ctx, "g", mode, files.Attr{}))
	has(d, "g", "one")
	s.ok(d.Rename(s.ctx, "g", s.top, "f", false))
	has(s.top, "f", "one")
	s.store(s.top, "f", "replaced")
	has(s.top, "f", "")
	s.ok(s.top.SetProps(s.ctx, "d", nil))
	s.ok(s.top.SetProps(s.ctx, "d", nil))
	has(s.top, "d", "")
	if s.b.Features().Links {
		s.ok(s.top.Symlink(s.ctx, "d", "l"))
		s.is("of a link", s.top.SetProps(s.ctx, "l", []byte("p")), files.ErrUnsupported)
	}
}
