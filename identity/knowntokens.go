package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"time"
)

// Bounds of the tokens that are kept. tokenFresh is for a process that was killed between taking a
// token away and saying so.
const (
	maxKnownTokens = 8192
	tokenFresh     = time.Minute
)

// tokenKey stands for the wire form of a token and the address that it came from, under a key that
// only this process has: what is kept opens nothing.
type tokenKey [sha256.Size]byte

// knownGrant is a token that was good; it is replaced, never changed.
type knownGrant struct {
	grant Grant
	until time.Time
}

// newKnownSecret makes the key of one process.
func newKnownSecret() []byte {
	b := make([]byte, sha256.Size)
	_, _ = rand.Read(b) // never fails, as its documentation says
	return b
}

// tokenKey is the key of a token as it came.
func (k *knownAccounts) tokenKey(text Secret, remote string) tokenKey {
	m := hmac.New(sha256.New, k.secret)
	m.Write([]byte(text.Reveal()))
	m.Write([]byte{0})
	m.Write([]byte(remote))
	var out tokenKey
	m.Sum(out[:0])
	return out
}

// keepToken keeps what a token was found to give, as keep does an account.
func (k *knownAccounts) keepToken(mark int, key tokenKey, g Grant) *knownGrant {
	kg := &knownGrant{g, k.now().Add(tokenFresh)}
	if !g.ExpiresAt.IsZero() && g.ExpiresAt.Before(kg.until) {
		kg.until = g.ExpiresAt
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if mark == k.turn {
		*k.tokens.get(key) = kg
	}
	return kg
}

// token returns what a token gives, nil where that is not known or no longer certain.
func (k *knownAccounts) token(key tokenKey, now time.Time) *knownGrant {
	k.mu.Lock()
	defer k.mu.Unlock()
	kg := k.tokens.peek(key)
	if kg == nil || !now.Before(k.until) || !now.Before((*kg).until) {
		return nil
	}
	return *kg
}

// holdsToken reports whether kg is still what the token of that key gives.
func (k *knownAccounts) holdsToken(key tokenKey, kg *knownGrant) bool {
	return kg != nil && k.token(key, k.now()) == kg
}

// verifyToken finds what a token gives, from what was found lately where nothing has changed since.
func (s *Service) verifyToken(ctx context.Context, c *claim) error {
	remote := remoteText(c.ses)
	c.tokenKey = s.known.tokenKey(c.login.Secret, remote)
	if c.known = s.known.token(c.tokenKey, s.now()); c.known == nil {
		mark := s.known.mark()
		g, err := s.tokens.VerifyToken(ctx, c.login.Secret, remote)
		if err != nil {
			return err
		}
		if g.pass != nil { // good once
			c.grant = &g
			return nil
		}
		c.known = s.known.keepToken(mark, c.tokenKey, g)
	}
	grant := c.known.grant
	c.grant = &grant
	return nil
}

// tokenOwner finds the account that a good token belongs to. By another's name, or none, it asks
// the store each time.
func (s *Service) tokenOwner(ctx context.Context, c *claim) (*Account, error) {
	named := c.login.Name != "" || c.login.Method != MethodBearer
	name, domain, err := s.parse(c.login)
	if !named {
		name, domain, err = s.parse(Login{Name: c.grant.JID})
	}
	if err == nil {
		if acc := s.known.find(domain, name); acc != nil && acc.ID == c.grant.User {
			return acc, nil
		}
	}
	if named {
		return s.lookup(ctx, c.login)
	}
	mark := s.known.mark()
	acc, err := s.byID(ctx, c.grant.User)
	if acc != nil {
		s.known.keep(mark, acc)
	}
	return acc, err
}
