package tokens

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"trivium/identity"
)

const (
	// MaxPassing is how long a passing token is good at most.
	MaxPassing = time.Minute

	maxPassing = 64 // of the whole process
)

// passing are the tokens that this process keeps in memory alone, for a moment: no list shows them, and
// nothing of them is left, whatever happens.
type passing struct {
	mu   sync.Mutex // guards rows
	rows map[string]Row
}

func (p *passing) get(id string) (Row, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.rows[id]
	return r, ok
}

func (p *passing) of(user identity.UserID) (list []Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rows {
		if r.User == user {
			list = append(list, r)
		}
	}
	return list
}

// put refuses where too many are there that are still good.
func (p *passing) put(r Row, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rows == nil {
		p.rows = map[string]Row{}
	}
	for id, old := range p.rows {
		if old.expired(now) {
			delete(p.rows, id)
		}
	}
	if len(p.rows) >= maxPassing {
		return false
	}
	p.rows[r.ID] = r
	return true
}

func (p *passing) remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.rows, id)
}

// Passing makes a token that lives for Request.TTL, at most MaxPassing, in this process alone: it tries
// the roads for its owner and stands in no list. What it may is checked as by Issue, both ends of its life
// are in the audit log, and a log-in by it is no new device. end revokes it: the sessions that hold it have
// ended when it returns.
func (s *Service) Passing(ctx context.Context, by identity.Actor, r Request) (secret identity.Secret, end func(context.Context) error, err error) {
	if r.TTL <= 0 || r.TTL > MaxPassing {
		return secret, nil, fmt.Errorf("a passing token lives for at most %s: %w", MaxPassing, identity.ErrInvalid)
	}
	row, text, err := s.make(ctx, by, r)
	if err != nil {
		return secret, nil, err
	}
	if slices.Contains(row.Scopes, ScopeAdmin) || slices.Contains(row.Scopes, ScopeIntrospect) {
		return secret, nil, fmt.Errorf("a passing token lifts no cap: %w", identity.ErrInvalid)
	}
	row.passing = true
	if !s.verifier.passing.put(row, s.now()) {
		return secret, nil, fmt.Errorf("too many tests run at once; try again in a minute: %w", identity.ErrRefused)
	}
	if err := s.audit(ctx, by, "token.issue", row); err != nil {
		s.verifier.passing.remove(row.ID)
		return secret, nil, err
	}
	return identity.NewSecret(text), func(ctx context.Context) error {
		s.verifier.passing.remove(row.ID)
		if err := s.accounts.TokensRevoked(ctx, []identity.UserID{row.User}, row.ID); err != nil {
			return fmt.Errorf("telling of what was revoked: %w", err)
		}
		return s.audit(ctx, by, "token.revoke", row)
	}, nil
}
