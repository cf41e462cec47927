package files

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// Recount counts a tree anew, whatever is believed of it, and returns what it holds;
// fs.ErrNotExist where there is no such tree. It may be in use meanwhile: the count is taken again if an
// entry came or went under the eyes of the first, and nobody changes names in the tree during the
// second.
func (s *Service) Recount(ctx context.Context, key string) (bytes, files int64, err error) {
	if err := s.exists(ctx, key); err != nil {
		return 0, 0, err
	}
	walks := s.ledger.of(key).walked()
	a, err := s.useKey(ctx, key)
	if err != nil {
		return 0, 0, err
	}
	defer s.done(a)
	if a.walked() != walks { // it had to be, to be used
		bytes, files = a.usage()
		return bytes, files, nil
	}
	err = s.recount(ctx, a)
	if err != nil {
		return 0, 0, err
	}
	bytes, files = a.usage()
	return bytes, files, nil
}

// exists answers fs.ErrNotExist for what is no tree.
func (s *Service) exists(ctx context.Context, key string) error {
	if !s.isKey(key) {
		return errNoTree
	}
	top, err := s.o.Backend.Tree(ctx, key, false)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDir) {
		return errNoTree
	}
	if err != nil {
		return err
	}
	return top.Close()
}

// isKey reports whether a tree could have the key.
func (s *Service) isKey(key string) bool {
	if s.mountOf(key) != nil {
		return true
	}
	segments := strings.Split(key, "/")
	for _, segment := range segments {
		if !speakable(segment) {
			return false
		}
	}
	switch len(segments) {
	case 2:
		return segments[1] == "pub"
	case 3:
		return segments[1] == "home" || segments[1] == "groups"
	}
	return false
}

// walked is how often the tree has been counted in this process.
func (a *account) walked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.walks
}

// recount walks a tree in use. The names are taken for a moment before and after the walk: so nobody
// is between a change and its count, and it is known whether anybody had them meanwhile. If so, the
// tree is walked again while they are held.
func (s *Service) recount(ctx context.Context, a *account) error {
	a.names.Lock()
	before, o := a.names.passed.Load(), a.open()
	a.names.Unlock()
	n, err := s.walkTree(ctx, a.key, o)
	if err != nil {
		return err
	}
	a.names.Lock()
	defer a.names.Unlock()
	if a.names.passed.Load() != before+1 { // not this one alone
		if n, err = s.walkTree(ctx, a.key, a.open()); err != nil {
			return err
		}
	}
	s.believe(ctx, a, n)
	return nil
}

// open says what uploads have open.
func (a *account) open() open {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := open{parts: make(map[string]bool), files: make(map[string]bool)}
	for c := range a.charges {
		if c.part != "" {
			o.parts[c.part] = true
		} else {
			o.files[c.file] = true
		}
	}
	return o
}

// believe takes what a walk has found for the truth, and adds what uploads have taken.
func (s *Service) believe(ctx context.Context, a *account, n tally) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.charges {
		n.bytes += c.taken
		if c.part != "" {
			n.files++
		}
	}
	if n.bytes != a.bytes || n.files != a.files {
		s.o.Log.WarnContext(ctx, "files: a tree held something else than was counted", "tree", a.key,
			"bytes", n.bytes, "counted_bytes", a.bytes, "files", n.files, "counted_files", a.files)
	}
	a.bytes, a.files, a.countedAt = n.bytes, n.files, s.now()
	a.walks++
}
