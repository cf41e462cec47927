package files

import "context"

// Session is what a Tree asks a session; tests have their own.
type Session = session

// ViewOf is View for a test's session. The policy is asked with nil.
func (s *Service) ViewOf(who Session) *Tree { return &Tree{s: s, who: who} }

// UsageOf is the count of a tree: bytes and entries.
func (s *Service) UsageOf(key string) (bytes, files int64) { return s.ledger.trees[key].usage() }

// Held is how many locks are taken.
func (s *Service) Held() int {
	s.locks.mu.Lock()
	defer s.locks.mu.Unlock()
	return len(s.locks.held)
}

// Slice is how much is reserved at a time.
const Slice = slice

// Count is the walk that counts a tree.
func Count(ctx context.Context, top Dir, add func(Node) error) error { return count(ctx, top, add) }

// LockCount is how many locks the book has, ended ones among them.
func (s *Service) LockCount() int {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	return len(s.book.tokens)
}

// Pending is how many bytes are set aside and not written, in all trees.
func (s *Service) Pending() int64 { return s.ledger.pending.Load() }

// ReserveTwice sets n bytes aside for two uploads beside one another, and gives them back.
func (s *Service) ReserveTwice(ctx context.Context, key string, n int64) error {
	a, err := s.useKey(ctx, key)
	if err != nil {
		return err
	}
	defer s.done(a)
	for _, part := range []string{"a", "b"} {
		c := s.charge(a, part, "", 0, nil)
		defer c.end()
		if err := c.reserveAll(n); err != nil {
			return err
		}
	}
	return nil
}

// NetOf is the count of a tree without what uploads will replace.
func (s *Service) NetOf(key string) (bytes, files int64) {
	a := s.ledger.of(key)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes - a.lentBytes, a.files - a.lentFiles
}
