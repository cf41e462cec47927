package files

import (
	"context"
	"io/fs"
	"path"

	"golang.org/x/text/unicode/norm"
)

// Canonical says where a client path lies in the one tree of all ("/home/alice/a", "/pub/b"), with
// the links in its way followed; to is where a link at its end leads, else the same as at. A path
// that leads nowhere is given as it would lie if what is missing were made; one where the session may
// not look as far as it can be told without looking, so that this tells nobody what there is. It is for rules and logs; nothing may be
// opened by it.
func (t *Tree) Canonical(ctx context.Context, p string) (at, to string) {
	clean, err := Clean("/", p)
	if err != nil {
		return p, p
	}
	v, err := t.now()
	if err != nil {
		return clean, clean
	}
	v.checks = Checks{}
	s, way, err := v.start(ctx, clean)
	if err != nil {
		at = v.unseen(clean)
		return at, at
	}
	if s.m == nil {
		return clean, clean
	}
	defer s.close()
	left, err := v.descend(ctx, s, way, false)
	switch {
	case err == nil && s.exists:
		at = s.canon()
	case len(left) > 0: // a name that is made is made in this form
		at = s.m.canon + s.rel + "/" + norm.NFC.String(path.Join(left...))
	default:
		at = v.unseen(clean)
		return at, at
	}
	if !s.exists || s.node.Type&fs.ModeSymlink == 0 {
		return at, at
	}
	end, err := v.walk(ctx, clean, true)
	if err != nil {
		return at, at
	}
	defer end.close()
	return at, end.canon()
}

// unseen is a canonical path by its mount alone.
func (v *view) unseen(p string) string {
	m, rest, err := v.resolve(p)
	if err != nil || m == nil {
		return p
	}
	if rest == "/" {
		return m.canon
	}
	return m.canon + rest
}
