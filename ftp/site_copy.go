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
	p, tree, ok := s.pathFor(arg, copyReads...)
	if !ok {
		return
	}
	info, err := tree.Stat(s.ctx, p)
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
		if to, _, ok := s.pathFor(arg, copyWrites...); ok {
			s.copy("SITE CPTO", s.given.cpfr, to)
		}
	}
}

// siteCopy is SITE COPY; names with spaces stand in quotes.
func (s *session) siteCopy(arg string) {
	names, ok := parseNames(arg)
	if !ok || len(names) != 2 {
		s.reply(501, `SITE COPY "<from>" "<to>"`)
		return
	}
	from, _, ok := s.pathFor(names[0], copyReads...)
	if !ok {
		return
	}
	if to, _, ok := s.pathFor(names[1], copyWrites...); ok {
		s.copy("SITE COPY", from, to)
	}
}

// The verbs whose rules on paths a copy has to keep.
var (
	copyReads  = []string{"SITE COPY", "SITE CPFR", "RETR"}
	copyWrites = []string{"SITE COPY", "SITE CPTO", "STOR"}
)

// copy copies on the server, beside the reader. A folder is copied with all in it; a file may take
// the place of a file, as in an upload.
func (s *session) copy(verb, from, to string) {
	tree := s.tree.Checked(files.Checks{At: s.asking(copyReads...), To: s.asking(copyWrites...)})
	s.background(verb+" "+printable(to), func(ctx context.Context) answer {
		err := s.copyable(ctx, from, to)
		if err == nil {
			err = tree.Copy(ctx, from, to, files.CopyOptions{Over: true, Deep: true})
		}
		return s.outcome(err, answer{250, "Copied."})
	})
}

// copyable asks the rules on paths for all that is in a folder.
func (s *session) copyable(ctx context.Context, from, to string) error {
	if !s.confined(copyReads) && !s.confined(copyWrites) {
		return nil
	}
	info, err := s.tree.Stat(ctx, from)
	if err != nil || !info.Dir {
		return err
	}
	if err := s.below(ctx, from, from, copyReads...); err != nil {
		return err
	}
	return s.below(ctx, from, to, copyWrites...)
}

// siteSymlink is SITE SYMLINK. A target that is absolute for the client is stored relative to the
// link, so that it means the same on all roads.
func (s *session) siteSymlink(arg string) {
	names, ok := parseNames(arg)
	if !ok || len(names) != 2 {
		s.reply(501, `SITE SYMLINK "<target>" "<link>"`)
		return
	}
	link, tree, ok := s.path(names[1])
	if !ok {
		return
	}
	target := names[0]
	to, absolute := strings.CutPrefix(target, "/")
	if absolute {
		var err error
		if to, err = files.Clean("/", to); err != nil {
			s.fail(err)
			return
		}
		target = relative(path.Dir(link), to)
	}
	if err := tree.Symlink(s.ctx, target, link); err != nil {
		s.fail(err)
		return
	}
	if absolute && !s.same(to, link) {
		// It is in another tree than the link, and links stay in theirs.
		if err := tree.Remove(s.ctx, link); err != nil {
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
