package ftp

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"

	"trivium/files"
	"trivium/identity"
)

// limited reports whether a rule of the policy such as ftp:STOR:/pub/** keeps one of the verbs from
// a path: where it lies, and where a link at its end leads. To the client it is absent then.
func (s *session) limited(ctx context.Context, p string, verbs ...string) bool {
	if s.tree == nil || !s.confined(verbs) {
		return false
	}
	at, to := s.tree.Canonical(ctx, p)
	for _, verb := range verbs {
		if !s.allowed(identity.Resource("ftp:" + verb + ":" + at)) {
			return true
		}
		if to != at && !s.allowed(identity.Resource("ftp:"+verb+":"+to)) {
			return true
		}
	}
	return false
}

// confined reports whether any rule is about paths behind one of the verbs.
func (s *session) confined(verbs []string) bool {
	return slices.ContainsFunc(verbs, s.srv.identity.Confines)
}

// guarded reports whether a rule on paths keeps the verb that runs from something in the folder, so
// that nobody moves the folder to get round it.
func (s *session) guarded(p string) bool {
	if !s.srv.identity.Confines(s.verb) {
		return false
	}
	at, _ := s.tree.Canonical(s.ctx, p)
	return s.srv.identity.Guards(s.ses, s.verb, at)
}

// pathFor is path where other verbs do the same as the one that runs, or do more than it says: the
// rules of all of them count.
func (s *session) pathFor(arg string, verbs ...string) (string, bool) {
	p, err := files.Clean(s.params.cwd, arg)
	if err != nil {
		s.fail(err)
		return "", false
	}
	if s.limited(s.ctx, p, verbs...) {
		s.reply(550, absent)
		return "", false
	}
	return p, true
}

// below asks the rules of the verbs for all that is in a folder, as if it lay in the folder as; what
// is refused there is fs.ErrPermission for the whole, for a copy or a removal would not ask.
func (s *session) below(ctx context.Context, dir, as string, verbs ...string) error {
	if !s.confined(verbs) {
		return nil
	}
	waiting := []string{dir}
	for len(waiting) > 0 {
		at := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		err := s.tree.ReadDir(ctx, at, func(i files.Info) error {
			if s.limited(ctx, path.Join(as, strings.TrimPrefix(i.Path, dir)), verbs...) {
				return fs.ErrPermission
			}
			if i.Dir {
				waiting = append(waiting, i.Path)
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}
