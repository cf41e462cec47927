package ftp

import (
	"io/fs"
	"strconv"
	"strings"

	"trivium/files"
)

// path makes the argument absolute; false when it has been refused. Every verb that names a path
// takes it from here, and reaches it by the tree that comes with it.
func (s *session) path(arg string) (p string, tree *files.Tree, ok bool) {
	return s.pathFor(arg, s.verb)
}

// fail answers an error of files. What is not ours to explain goes to the log.
func (s *session) fail(err error) {
	a := replyTo(err)
	if a == failed {
		s.logger().Error("file command", "error", err)
	}
	if a.code == 421 { // RFC 959 section 4.2: it closes the connection
		s.end(a.code, a.text)
		return
	}
	s.reply(a.code, a.text)
}

// done answers 250 or the error.
func (s *session) done(err error, text string) {
	if err != nil {
		s.fail(err)
		return
	}
	s.reply(250, text)
}

// quoted is a path as PWD and MKD give it (RFC 959 appendix II): quotes are doubled.
func quoted(p string) string {
	return `"` + strings.ReplaceAll(printable(p), `"`, `""`) + `"`
}

func (s *session) pwd(string) { s.reply(257, quoted(s.params.cwd)+" is the current folder.") }

func (s *session) cwd(arg string) { s.change(arg, 250) }

func (s *session) cdup(string) { s.change("..", 250) } // RFC 959 section 5.4 has 200, and CWD's replies too

func (s *session) change(arg string, code int) {
	p, info, ok := s.folder(arg)
	switch {
	case !ok:
	case !s.tree.Access(info).Enter:
		s.fail(fs.ErrPermission)
	default:
		s.params.cwd = p
		s.hold(s.note(code, p))
		s.tell(code, quoted(p)+" is the current folder.")
	}
}

// folder is what the tree knows of the folder that the argument names; where it is none, it has
// answered.
func (s *session) folder(arg string) (p string, info files.Info, ok bool) {
	p, tree, ok := s.path(arg)
	if !ok {
		return "", info, false
	}
	info, err := tree.Stat(s.ctx, p)
	if err == nil && !info.Dir {
		err = files.ErrNotDir
	}
	if err != nil {
		s.fail(err)
		return "", info, false
	}
	return p, info, true
}

func (s *session) mkd(arg string) {
	p, tree, ok := s.path(arg)
	if !ok {
		return
	}
	if err := tree.Mkdir(s.ctx, p); err != nil {
		s.fail(err)
		return
	}
	s.maskDir(tree, p)
	s.reply(257, quoted(p)+" is made.")
}

func (s *session) maskDir(tree *files.Tree, p string) {
	if err := s.mask(tree, p, 0o777); err != nil {
		s.logger().Warn("SITE UMASK", "error", err)
	}
}

// mask gives a new entry the bits that SITE UMASK left it.
func (s *session) mask(tree *files.Tree, p string, all fs.FileMode) error {
	if s.params.umask < 0 {
		return nil
	}
	return tree.Chmod(s.ctx, p, all&^fs.FileMode(s.params.umask))
}

func (s *session) rmd(arg string) {
	if p, tree, ok := s.path(arg); ok {
		s.done(tree.RemoveDir(s.ctx, p), "The folder is removed.")
	}
}

func (s *session) dele(arg string) {
	if p, tree, ok := s.path(arg); ok {
		s.done(s.remove(s.ctx, tree, p), "The file is removed.")
	}
}

func (s *session) renameFrom(arg string) {
	p, tree, ok := s.path(arg)
	if !ok {
		return
	}
	info, err := tree.Lstat(s.ctx, p)
	if err == nil && info.Dir && s.guarded(p) {
		err = fs.ErrPermission
	}
	if err != nil {
		s.fail(err)
		return
	}
	s.pending.rnfr = p
	s.reply(350, "Send RNTO with the new name.")
}

// renameTo is RNTO, which must follow RNFR.
func (s *session) renameTo(arg string) {
	if s.given.rnfr == "" {
		s.reply(503, "Send RNFR first.")
		return
	}
	p, _, ok := s.path(arg)
	if !ok {
		return
	}
	policy, ses := s.srv.identity, s.ses
	tree := s.tree.Checked(files.Checks{At: s.asking("RNFR"), To: s.asking("RNTO"), Whole: func(from, to string) bool {
		// Else what is in the folder would leave the reach of a rule, or come to lie where one lets
		// nobody put it.
		return !policy.Guards(ses, "RNFR", from) && !policy.Guards(ses, "RNTO", to)
	}})
	s.done(tree.Rename(s.ctx, s.given.rnfr, p), "Renamed.")
}

// size is SIZE (RFC 3659 section 4): of the bytes that a transfer of the present type would
// send. In ASCII nobody knows before it is done.
func (s *session) size(arg string) {
	info, ok := s.fileInfo(arg)
	switch {
	case !ok:
	case s.params.ascii:
		s.reply(550, "The size in ASCII is not known; send TYPE I first.")
	default:
		s.reply(213, strconv.FormatInt(info.Size, 10))
	}
}

// fileInfo is what the tree knows of a file, as SIZE and MDTM want it: where there is none, or a
// folder, it has answered (RFC 3659 sections 3.1 and 4.1: of files).
func (s *session) fileInfo(arg string) (info files.Info, ok bool) {
	p, tree, ok := s.path(arg)
	if !ok {
		return info, false
	}
	info, err := tree.Stat(s.ctx, p)
	switch {
	case err != nil:
		s.fail(err)
	case info.Dir:
		s.fail(files.ErrIsDir)
	default:
		return info, true
	}
	return info, false
}
