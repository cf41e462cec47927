package files

import (
	"context"
	"path"
	"strings"
	"sync"
	"time"
)

// Use is an entry that a session of this server has open.
type Use struct {
	Session string    // its ID
	Path    string    // of the entry, as the one who asks sees it who follows no link
	Write   bool      // something is uploaded there; else the file is read
	Since   time.Time // when it was opened
}

// use is a Use as it is kept: each stands in its File or Upload.
type use struct {
	session string
	key     string // of the tree
	rel     string // of the entry in the tree
	write   bool
	since   time.Time
}

// uses is what is open. It is asked seldom and changed with every file, so nothing is sorted in it.
type uses struct {
	mu   sync.Mutex // guards open
	open map[*use]struct{}
}

func (u *uses) add(x *use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.open[x] = struct{}{}
}

func (u *uses) drop(x *use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.open, x)
}

// below lists what is open of an entry, and in it.
func (u *uses) below(key, rel string) (found []use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for x := range u.open {
		if x.key == key && strings.HasPrefix(x.rel, rel) && (len(x.rel) == len(rel) || x.rel[len(rel)] == '/') {
			found = append(found, *x)
		}
	}
	return found
}

// uses notes what the session opens where a path has led.
func (v *view) uses(s *spot, write bool) use {
	return use{session: v.who.ID(), key: s.m.key, rel: s.inTree(), write: write, since: v.s.now()}
}

// Uses lists what of an entry is open on this server, and for a folder what is open in it as far as the session may
// know of it, in no order. Whose sessions one may see is the road's to decide. Links are followed inside the mount.
func (t *Tree) Uses(ctx context.Context, p string) ([]Use, error) {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return nil, failed("stat", p, err)
	}
	defer s.close()
	if s.m == nil {
		return nil, nil
	}
	var list []Use
	for _, x := range v.s.uses.below(s.m.key, s.inTree()) {
		if v.visible(s.m.canon + x.rel) {
			list = append(list, Use{Session: x.session, Path: path.Join(s.m.at, x.rel), Write: x.write, Since: x.since})
		}
	}
	return list, nil
}
