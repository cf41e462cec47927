package ftp

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"trivium/files"
	"trivium/identity"
)

// siteMkdir is SITE MKDIR. As ProFTPD's mod_site_misc has it, and as clients expect that find it in
// FEAT, the folders above are made too; with -p, one that is there is no error either.
func (s *session) siteMkdir(arg string) {
	name, quiet := strings.CutPrefix(arg, "-p ")
	if name == "" || name == "-p" {
		s.reply(501, "SITE MKDIR [-p] <path>")
		return
	}
	p, tree, ok := s.pathFor(name, s.verb, "MKD")
	if !ok {
		return
	}
	if _, err := tree.Lstat(s.ctx, p); err == nil && !quiet {
		s.fail(fs.ErrExist)
		return
	}
	fresh := s.missing(p)
	for _, dir := range fresh {
		if s.limited(s.ctx, dir, s.verb, "MKD") {
			s.reply(550, absent)
			return
		}
	}
	if err := tree.MkdirAll(s.ctx, p); err != nil {
		s.fail(err)
		return
	}
	for _, dir := range fresh {
		s.maskDir(tree, dir)
	}
	s.reply(200, quoted(p)+" is there.")
}

// missing lists the folders on the way to p that are not there.
func (s *session) missing(p string) (all []string) {
	for ; p != "/"; p = path.Dir(p) {
		if _, err := s.tree.Lstat(s.ctx, p); err == nil {
			break
		}
		all = append(all, p)
	}
	return all
}

// The recursive removal has a rule of its own, with a default that asks for more than a log-in: one
// line sent by mistake must not be enough to lose a tree.
const (
	removeAllRule  identity.Resource = "ftp:SITE RMDIR -R"
	removeAllLevel                   = identity.LevelStaff
)

func (s *session) mayRemoveAll() bool {
	return s.holds(removeAllRule, removeAllLevel) && s.holds("ftp:DELE", 0)
}

// siteRmdir is SITE RMDIR; with -r all that is in the folder goes too.
func (s *session) siteRmdir(arg string) {
	name, all := strings.CutPrefix(arg, "-r ")
	switch {
	case name == "" || name == "-r":
		s.reply(501, "SITE RMDIR <path>")
		return
	case all && !s.mayRemoveAll():
		s.reply(502, notHere)
		return
	}
	p, tree, ok := s.pathFor(name, s.verb, "RMD")
	if !ok {
		return
	}
	if !all {
		if err := tree.RemoveDir(s.ctx, p); err != nil {
			s.fail(err)
			return
		}
		s.reply(200, "The folder is removed.")
		return
	}
	info, err := tree.Lstat(s.ctx, p)
	switch {
	case err != nil:
		s.fail(err)
		return
	case !info.Dir:
		s.reply(550, "It is not a folder.")
		return
	}
	inside := []string{"SITE RMDIR", "RMD", "DELE"}
	tree = s.tree.Checked(files.Checks{At: s.asking(s.verb, "RMD"), Below: s.asking(inside...)})
	s.background("SITE RMDIR -r "+printable(p), func(ctx context.Context) answer {
		if err := s.below(ctx, p, p, inside...); err != nil {
			return s.outcome(err, answer{})
		}
		return s.outcome(tree.RemoveAll(ctx, p), answer{200, "The folder is removed, with all that was in it."})
	})
}
