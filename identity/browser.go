package identity

import (
	"context"
	"net/netip"
	"time"
)

// CookieKind is which of the two cookies a browser session stands in.
type CookieKind string

// The cookies of Node++: as for an anonymous session, ls for one that is logged in.
const (
	CookieAnonymous CookieKind = "as"
	CookieLoggedIn  CookieKind = "ls"
)

// Cookie is what the browser is to keep: its value is selector.secret, new at every change of
// level; only a hash of the secret is stored.
type Cookie struct {
	Kind   CookieKind
	Value  Secret
	MaxAge time.Duration // 0: until the browser closes
}

// Visit is what the web knows of a request's sender.
type Visit struct {
	Remote, Local           netip.AddrPort
	TLS, UserAgent, Referer string
	Lang                    string
	Anonymous, LoggedIn     Secret // the cookies as they came; zero where absent
}

// Browser is a browser session: one record from anonymous to logged in and back.
type Browser struct {
	*Session
	record *browserRecord
}

// CSRFToken is the session's token for forms; it changes with the cookie.
func (b *Browser) CSRFToken() string { return b.csrfToken() }

// Resume finds the session of the cookies that came, the logged-in one first, checks the secret
// in constant time and notes activity. Without a valid cookie it returns ErrNotFound. set is
// non-nil where the browser must keep another cookie than it sent (a session downgraded by
// inactivity).
func (s *Service) Resume(ctx context.Context, v Visit) (b *Browser, set *Cookie, err error) {
	return s.resume(ctx, v)
}

// StartAnonymous opens an anonymous browser session, in memory until log-in; capped per address.
func (s *Service) StartAnonymous(ctx context.Context, v Visit) (*Browser, Cookie, error) {
	return s.startAnonymous(ctx, v)
}

// Upgrade logs a browser session in (Login with MethodForm or another) and rotates the cookie.
// On an error the session stays as it was.
func (s *Service) Upgrade(ctx context.Context, b *Browser, l Login, stay bool) (Cookie, error) {
	return s.upgrade(ctx, b, l, stay)
}

// Downgrade logs a browser session out: it goes on as an anonymous one under a new cookie.
func (s *Service) Downgrade(ctx context.Context, b *Browser, why Reason) (Cookie, error) {
	return s.downgrade(ctx, b, why)
}

// OnUpgrade and OnDowngrade subscribe to changes of level between anonymous and logged in, on
// every road (Node++ npp_app_user_login, npp_app_user_logout). fn must not block. They are
// called before the service runs.
func (s *Service) OnUpgrade(fn func(*Session)) { s.onUpgrade(fn) }

// OnDowngrade: see OnUpgrade.
func (s *Service) OnDowngrade(fn func(*Session)) { s.onDowngrade(fn) }

// Request finds or opens the session of one credential, address and user agent, for WebDAV and
// the API, which bring credentials with each request. It ends after ten idle minutes; only the
// first is audited. l has MethodBearer (API, DAV) or MethodPassword (HTTP Basic).
func (s *Service) Request(ctx context.Context, p Protocol, v Visit, l Login) (*Session, error) {
	return s.request(ctx, p, v, l)
}
