package identity

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Introspection is what a service outside of the process learns about a credential or a session that
// somebody has shown to it (RFC 7662 section 2.2): as Node++ shares its session data with services.
type Introspection struct {
	Kind    IntrospectionKind
	Account *Account // nil: nobody in particular
	Level   Level
	Expires time.Time // zero: nobody knows
	Begun   time.Time
	Scopes  []string    // of a token, in the order of the scopes
	TokenID string      // of a token, or of the session that it opened
	Session *Info       // of a cookie or session ID
	Engine  *EngineData // of a browser session

	Application string // that a token was given to
}

// IntrospectionKind is what was shown.
type IntrospectionKind string

// The kinds, and what RFC 7662 calls token_type.
const (
	IntrospectToken   IntrospectionKind = "token"   // an app password or token
	IntrospectCookie  IntrospectionKind = "cookie"  // the value of the cookie as or ls
	IntrospectSession IntrospectionKind = "session" // the ID of a session, which proves nothing
	// IntrospectApplication is an access or refresh token of an application.
	IntrospectApplication IntrospectionKind = "application"
)

// maxIntrospected bounds what is looked at, in bytes.
const maxIntrospected = 4200

// Introspect says what a value is: a token, the value of a browser's cookie, or the ID of a session.
// ErrNotFound for whatever means nothing now: unknown, expired, revoked, of a disabled account, of
// somebody else's server. It does the same work for all of them as far as that can be, notes no use,
// and keeps no session alive. from is where the value was shown, for tokens that are bound to
// addresses; the zero address says nothing about it, which a bound token does not bear.
func (s *Service) Introspect(ctx context.Context, value Secret, from netip.Addr) (*Introspection, error) {
	text := value.Reveal()
	if text == "" || len(text) > maxIntrospected {
		return nil, ErrNotFound
	}
	if s.tokens.IsToken(value) {
		return s.introspectToken(ctx, value, from)
	}
	if s.opts.Applications.On && (strings.HasPrefix(text, accessToken.prefix()) || strings.HasPrefix(text, refreshToken.prefix())) {
		return s.introspectGrant(ctx, value)
	}
	if strings.Contains(text, ".") {
		for _, kind := range []CookieKind{CookieLoggedIn, CookieAnonymous} {
			if rec := s.browsers.find(kind, value); rec != nil && !s.idle(rec) && !s.browsers.swapping(rec) {
				return s.introspectSession(ctx, rec.session, IntrospectCookie)
			}
		}
		return nil, ErrNotFound
	}
	if ses, ok := s.Registry.Get(text); ok {
		return s.introspectSession(ctx, ses, IntrospectSession)
	}
	return nil, ErrNotFound
}

// swapping reports whether a record's cookie is only good for being exchanged.
func (b *browsers) swapping(rec *browserRecord) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return rec.exchange
}

func (s *Service) introspectSession(ctx context.Context, ses *Session, kind IntrospectionKind) (*Introspection, error) {
	info := ses.snapshot()
	if info.Level == LevelNone || ses.endedNow() {
		return nil, ErrNotFound // a connection that has shown nothing yet is nobody
	}
	out := &Introspection{Kind: kind, Level: info.Level, Begun: info.StartedAt, Session: info}
	a, ok := ses.attached()
	if !ok {
		return nil, ErrNotFound
	}
	out.Expires = a.expires
	if a.creds.Grant != nil {
		out.TokenID = a.creds.Grant.TokenID
	}
	if !a.creds.Anonymous() {
		acc, err := s.active(ctx, a.creds.UserID)
		if err != nil {
			return nil, err
		}
		out.Account, out.Begun = acc, a.creds.LoginAt
	}
	if ses.browser != nil {
		e := ses.browser.engine()
		if kind != IntrospectCookie {
			e.CSRF = "" // who names a session by its ID has not shown to be in it
		}
		out.Engine = &e
	}
	return out, nil
}

// active reads an account that may be used now; ErrNotFound for any other.
func (s *Service) active(ctx context.Context, id UserID) (*Account, error) {
	acc, err := s.byID(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case acc == nil, acc.State != UserActive, !acc.ExpiresAt.IsZero() && !s.now().Before(acc.ExpiresAt):
		return nil, ErrNotFound
	}
	return acc, nil
}

func (s *Service) introspectToken(ctx context.Context, value Secret, from netip.Addr) (*Introspection, error) {
	remote := ""
	if from.IsValid() {
		remote = from.Unmap().WithZone("").String()
	}
	g, err := s.tokens.VerifyToken(ctx, value, remote)
	owner := g.User
	if err != nil {
		if !errors.Is(err, ErrCredentials) && !errors.Is(err, ErrNotFound) {
			return nil, unavailable(ctx, err)
		}
		owner = UserID(nobody) // looked for as well, as the question takes time
	}
	acc, aerr := s.active(ctx, owner)
	switch {
	case err != nil:
		return nil, ErrNotFound
	case aerr != nil:
		return nil, aerr
	case g.JID != string(acc.Login)+"@"+acc.Domain:
		return nil, ErrNotFound
	}
	out := &Introspection{Kind: IntrospectToken, Account: acc, Level: acc.Level, Expires: g.ExpiresAt, Scopes: g.Scopes(), TokenID: g.TokenID}
	if !g.Admin {
		out.Level = out.Level.Min(LevelCustomer)
	}
	if e := acc.ExpiresAt; !e.IsZero() && (out.Expires.IsZero() || e.Before(out.Expires)) {
		out.Expires = e
	}
	return out, nil
}

// Scopes names what a grant opens, in the words of tokens.
func (g *Grant) Scopes() []string {
	var out []string
	for _, r := range []Road{RoadFTP, RoadWeb, RoadXMPP} {
		if slices.Contains(g.Roads, r) {
			out = append(out, string(r))
		}
	}
	if g.API {
		out = append(out, "api")
	}
	switch g.Files {
	case FilesRead:
		out = append(out, "files:read")
	case FilesWrite:
		out = append(out, "files:write")
	}
	if g.Admin {
		out = append(out, "admin")
	}
	if g.Introspect {
		out = append(out, "introspect")
	}
	return out
}
