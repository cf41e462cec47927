package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"trivium/identity"
)

// Bounds of logout tokens.
const (
	logoutLife  = 10 * time.Minute // what is issued earlier is too old, whatever it says of its end
	maxToken    = 16 << 10         // bytes
	maxSeen     = 10_000           // IDs of tokens that are remembered
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
)

// Logout checks a logout token (Back-Channel Logout 1.0 section 2.6) and returns whom it logs out: a
// subject, the session there, or both. The error wraps identity.ErrCredentials where it is not to be
// trusted, identity.ErrUnavailable where the provider's keys cannot be read.
func (p *Provider) Logout(ctx context.Context, raw string) (subject, sid string, err error) {
	if len(raw) > maxToken {
		return "", "", errAnswer("the logout token is too long")
	}
	if typ := headerType(raw); typ != "" && !strings.EqualFold(typ, "logout+jwt") && !strings.EqualFold(typ, "jwt") {
		return "", "", errAnswer("the token is of the type %q", clean(typ))
	}
	m, err := p.discover()
	if err != nil {
		return "", "", err
	}
	// Whether it has an end is looked at below: that came late to the specification.
	token, err := m.provider.Verifier(&oidc.Config{ClientID: p.o.ClientID, SupportedSigningAlgs: algorithms, SkipExpiryCheck: true}).Verify(ctx, raw)
	if err != nil {
		if ctx.Err() != nil || strings.Contains(err.Error(), "fetching keys") {
			return "", "", fmt.Errorf("%w: reading the keys of %s: %w", identity.ErrUnavailable, p.o.Name, err)
		}
		return "", "", errAnswer("the logout token: %v", err)
	}
	var c struct {
		Sub    string                     `json:"sub"`
		SID    string                     `json:"sid"`
		JTI    string                     `json:"jti"`
		Nonce  json.RawMessage            `json:"nonce"`
		Events map[string]json.RawMessage `json:"events"`
	}
	if err := token.Claims(&c); err != nil {
		return "", "", errAnswer("the logout token: %v", err)
	}
	now := p.o.Now()
	var event map[string]any
	switch body, there := c.Events[logoutEvent]; {
	case !there || json.Unmarshal(body, &event) != nil:
		return "", "", errAnswer("the token is none of logout")
	case c.Nonce != nil:
		return "", "", errAnswer("the token has a nonce, as ID tokens have")
	case c.Sub == "" && c.SID == "":
		return "", "", errAnswer("the token does not say whom it logs out")
	case c.JTI == "" || len(c.JTI) > maxClaim || len(c.SID) > maxClaim || len(c.Sub) > maxClaim:
		return "", "", errAnswer("the token has no ID")
	case token.IssuedAt.IsZero() || token.IssuedAt.After(now.Add(skew)) || now.Sub(token.IssuedAt) > logoutLife+skew:
		return "", "", errAnswer("the token is not of now")
	case !token.Expiry.IsZero() && token.Expiry.Unix() != 0 && now.After(token.Expiry.Add(skew)):
		return "", "", errAnswer("the token has expired")
	case !p.seen.first(c.JTI, now.Add(logoutLife+2*skew)):
		return "", "", errAnswer("the token came before")
	}
	return c.Sub, c.SID, nil
}

// headerType is typ of a token's header; "" where there is none.
func headerType(raw string) string {
	head, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return ""
	}
	var h struct {
		Typ string `json:"typ"`
	}
	if json.Unmarshal(text, &h) != nil {
		return ""
	}
	return h.Typ
}

// seen remembers the IDs of tokens while they could come again.
type seen struct {
	now func() time.Time

	mu  sync.Mutex // guards what follows
	ids map[string]time.Time
}

func newSeen(now func() time.Time) *seen { return &seen{now: now, ids: map[string]time.Time{}} }

// first reports whether an ID comes for the first time. Where too many are remembered none is: a
// provider that floods logs nobody out twice, and nobody in.
func (s *seen) first(id string, until time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if len(s.ids) >= maxSeen {
		for old, end := range s.ids {
			if now.After(end) {
				delete(s.ids, old)
			}
		}
	}
	if end, there := s.ids[id]; there && !now.After(end) || len(s.ids) >= maxSeen {
		return false
	}
	s.ids[id] = until
	return true
}
