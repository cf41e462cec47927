package ftp

import (
	"context"
	"path"
	"strings"

	"trivium/files"
)

// siteCopyFrom is SITE CPFR, as ProFTPD's mod_copy has it: SITE CPTO must follow.
func (s *session) siteCopyFrom(arg string) {
	if arg == "" {
		s.reply(501, "SITE CPFR <from>")
		return
	}
	p, ok := s.path(arg)
	if !ok {
		return
	}
	info, err := s.tree.Stat(s.ctx, p)
	switch {
	case err != nil:
		s.fail(err)
	case info.Part:
		s.reply(550, absent)
	default:
		s.pending.cpfr = p
		s.reply(350, "Send SITE CPTO with the name of the copy.")
	}
}

func (s *session) siteCopyTo(arg string) {
	switch {
	case s.given.cpfr == "":
		s.reply(503, "Send SITE CPFR first.")
	case arg == "":
		s.reply(501, "SITE CPTO <to>")
	default:
		if to, ok := s.path(arg); ok {
			s.copy("SITE CPTO", s.given.cpfr, to)
		}
	}
}

// siteCopy is SITE COPY; names with spaces stand in quotes.
func (s *session) siteCopy(arg string) {
	from, to, ok := s.twoPaths(arg, `SITE COPY "<from>" "<to>"`)
	if ok {
		s.copy("SITE COPY", from, to)
	}
}

// twoPaths reads two names; false when it has answered.
func (s *session) twoPaths(arg, syntax string) (a, b string, ok bool) {
	names, ok := parseNames(arg)
	if !ok || len(names) != 2 {
		s.reply(501, syntax)
		return "", "", false
	}
	if a, ok = s.path(names[0]); ok {
		b, ok = s.path(names[1])
	}
	return a, b, ok
}

// copy copies on the server, beside the reader. A folder is copied with all in it; a file may take
// the place of a file, as in an upload.
func (s *session) copy(verb, from, to string) {
	tree := s.tree
	s.background(verb+" "+printable(to), func(ctx context.Context) answer {
		return s.outcome(tree.Copy(ctx, from, to, files.CopyOptions{Over: true, Deep: true}), answer{250, "Copied."})
	})
}

// siteSymlink is SITE SYMLINK. A target that is absolute for the client is stored relative to the
// link, so that it means the same on all roads.
func (s *session) siteSymlink(arg string) {
	names, ok := parseNames(arg)
	if !ok || len(names) != 2 {
		s.reply(501, `SITE SYMLINK "<target>" "<link>"`)
		return
	}
	link, ok := s.path(names[1])
	if !ok {
		return
	}
	target := names[0]
	to, absolute := strings.CutPrefix(target, "/")
	if absolute {
		if to, ok = s.path("/" + to); !ok {
			return
		}
		target = relative(path.Dir(link), to)
	}
	if err := s.tree.Symlink(s.ctx, target, link); err != nil {
		s.fail(err)
		return
	}
	if absolute && !s.same(to, link) {
		// It is in another tree than the link, and links stay in theirs.
		if err := s.tree.Remove(s.ctx, link); err != nil {
			s.fail(err)
			return
		}
		s.reply(550, "The link would lead into another tree; links stay inside of one.")
		return
	}
	s.reply(200, "The link is made.")
}

// same reports whether two names are of one thing, or the first is of none.
func (s *session) same(a, b string) bool {
	i, err := s.tree.Stat(s.ctx, a)
	if err != nil {
		return true
	}
	j, err := s.tree.Stat(s.ctx, b)
	return err == nil && i.Unique == j.Unique
}

// relative is the way from a folder to a path, both clean and absolute.
func relative(dir, to string) string {
	a, b := strings.Split(strings.Trim(dir, "/"), "/"), strings.Split(strings.Trim(to, "/"), "/")
	if dir == "/" {
		a = nil
	}
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	way := path.Join(strings.Repeat("../", len(a)), path.Join(b...))
	if way == "" {
		return "."
	}
	return way
}
