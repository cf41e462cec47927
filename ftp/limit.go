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

// Rules of the policy on paths, such as ftp:STOR:/pub/**, are asked twice: before a verb does anything,
// as what it answers should not hang on how far it came, and by the tree, where the path has led in
// the end, as a link or a folder may have been swapped in meanwhile.

// limited reports whether a rule keeps one of the verbs from a path: where it lies, and where a link
// at its end leads. To the client it is absent then.
func (s *session) limited(ctx context.Context, p string, verbs ...string) bool {
	if s.tree == nil || !s.confined(verbs) {
		return false
	}
	may := s.asking(verbs...)
	at, to := s.tree.Canonical(ctx, p)
	return !may(at) || to != at && !may(to)
}

// confined reports whether any rule is about paths behind one of the verbs.
func (s *session) confined(verbs []string) bool {
	return slices.ContainsFunc(verbs, s.srv.identity.Confines)
}

// bound is the tree that asks the rules of the verbs again, of every path that leads through it.
func (s *session) bound(verbs ...string) *files.Tree {
	if !s.confined(verbs) {
		return s.tree
	}
	return s.tree.Checked(files.Checks{At: s.asking(verbs...)})
}

// asking asks the rules of the verbs about a canonical path; nil where there are none. It is for any
// goroutine.
func (s *session) asking(verbs ...string) func(canonical string) bool {
	if !s.confined(verbs) {
		return nil
	}
	return func(canonical string) bool {
		return !slices.ContainsFunc(verbs, func(verb string) bool {
			return !s.allowed(identity.Resource("ftp:" + verb + ":" + canonical))
		})
	}
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
func (s *session) pathFor(arg string, verbs ...string) (p string, tree *files.Tree, ok bool) {
	p, err := files.Clean(s.params.cwd, arg)
	if err != nil {
		s.fail(err)
		return "", nil, false
	}
	if s.limited(s.ctx, p, verbs...) {
		s.reply(550, absent)
		return "", nil, false
	}
	return p, s.bound(verbs...), true
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
