package files

import (
	"context"
	"io/fs"
)

// Canonical says where a client path lies in the one tree of all ("/home/alice/a", "/pub/b"), with
// the links in its way followed; to is where a link at its end leads, else the same as at. A path
// that leads nowhere, or where the session may not look, is given as far as it can be told without
// looking, so that this tells nobody what there is. It is for rules and logs; nothing may be
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
	s, err := v.walk(ctx, clean, false)
	if err != nil {
		at = v.unseen(clean)
		return at, at
	}
	defer s.close()
	if s.m == nil {
		return clean, clean
	}
	at = s.canon()
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
