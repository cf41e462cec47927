package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of applications.
const (
	maxApplications    = 200
	maxApplicationName = 64  // characters
	maxApplicationID   = 64  // bytes
	maxRedirects       = 20  // addresses of one application
	maxRedirect        = 512 // bytes of an address
	maxAppGroups       = 32
)

// The scopes that applications may ask for (OpenID Connect Core 1.0 section 5.4; groups is ours, in the
// form that many take).
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopeEmail   = "email"
	ScopeGroups  = "groups"
	ScopeOffline = "offline_access"
)

// ApplicationScopes lists them in the order in which they are shown.
func ApplicationScopes() []string {
	return []string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeGroups, ScopeOffline}
}

// Applications says how people log in to other applications by this server.
type Applications struct {
	On          bool
	AccessLife  time.Duration // of access tokens; 0: 15 min
	RefreshLife time.Duration // of a grant that is not used; 0: 30 days
	LogoutHosts []string      // hosts that logout tokens may go to, beside those of an application's redirects
}

// Application is a program elsewhere that people log in to by this server: a client of OpenID Connect.
type Application struct {
	ID              string // client_id; no secret
	Name            string
	SecretHash      []byte   // SHA-256; empty: a public client, which proves itself by PKCE alone
	Redirects       []string // where the browser may be sent back to, each to the letter
	LogoutRedirects []string // and after a log-out
	LogoutURI       string   // takes logout tokens (Back-Channel Logout 1.0); "": none
	Scopes          []string // that it may ask for
	Level           Level    // an account needs at least; LevelNone: any
	Groups          []string // an account is in one of them; empty: any
	Consent         bool     // people are asked whether it may know them
	Factor          bool     // a second factor is demanded
	Algorithm       string   // of its ID tokens: RS256 or ES256
	CreatedBy       string
	CreatedAt       time.Time
	ChangedAt       time.Time
}

// Public reports whether the application keeps no secret.
func (a Application) Public() bool { return len(a.SecretHash) == 0 }

// KnowsSecret compares in constant time; a public client has no secret that is right.
func (a Application) KnowsSecret(secret Secret) bool {
	sum := sha256.Sum256([]byte(secret.Reveal()))
	return !a.Public() && subtle.ConstantTimeCompare(sum[:], a.SecretHash) == 1
}

// newApplicationSecret is 256 random bits, and what the store keeps of them.
func newApplicationSecret() (Secret, []byte) {
	text := "tvs_" + rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(text))
	return NewSecret(text), sum[:]
}

// shown is what the audit log says of an application.
func (a Application) shown() fields {
	f := fields{"name": a.Name, "redirects": strings.Join(a.Redirects, " "), "logout_redirects": strings.Join(a.LogoutRedirects, " "),
		"logout_uri": a.LogoutURI, "scopes": strings.Join(a.Scopes, " "), "level": a.Level.String(), "groups": strings.Join(a.Groups, ","),
		"consent": a.Consent, "second_factor": a.Factor, "algorithm": a.Algorithm}
	f["public"] = a.Public()
	return f
}

// mayApplications says why the actor may not change applications, or nil.
func mayApplications(by Actor) error {
	if by.Level == LevelNobody || !by.Level.Allows(LevelAdmin) {
		return faultf(ErrRefused, "changing applications needs the level %s; yours is %s", LevelAdmin, by.Level)
	}
	return nil
}

// AddApplication registers an application; its ID is made of its name where it has none. A confidential
// one gets a secret, which nothing shows a second time.
func (s *Service) AddApplication(ctx context.Context, by Actor, a Application, public bool) (Application, Secret, error) {
	if err := mayApplications(by); err != nil {
		return Application{}, Secret{}, err
	}
	var secret Secret
	a.SecretHash = nil
	if !public {
		secret, a.SecretHash = newApplicationSecret()
	}
	if a.ID == "" {
		a.ID = applicationID(a.Name)
	}
	a.CreatedBy, a.CreatedAt = by.User, s.now().UTC().Truncate(timeUnit)
	a.ChangedAt = a.CreatedAt
	a, err := s.checkApplication(a)
	if err != nil {
		return Application{}, Secret{}, err
	}
	err = s.edit(ctx, by, func(e *edit) error {
		all, err := e.Applications(ctx)
		if err != nil {
			return err
		}
		if len(all) >= maxApplications {
			return faultf(ErrRefused, "there are %d applications, and no more can be; remove one first", len(all))
		}
		if slices.ContainsFunc(all, func(x Application) bool { return x.ID == a.ID }) {
			return faultf(ErrExists, "there is an application %q already; choose another ID", a.ID)
		}
		if err := s.groupsExist(ctx, e, a.Groups); err != nil {
			return err
		}
		e.note("application.add", a.ID, nil, a.shown())
		return e.PutApplication(ctx, a)
	})
	if err != nil {
		return Application{}, Secret{}, err
	}
	return a, secret, nil
}

// ChangeApplication lets fn change an application; its ID, secret and history stay. Who may not use it
// any more is logged out of it.
func (s *Service) ChangeApplication(ctx context.Context, by Actor, id string, fn func(*Application)) (Application, error) {
	if err := mayApplications(by); err != nil {
		return Application{}, err
	}
	var out Application
	err := s.edit(ctx, by, func(e *edit) error {
		was, err := findApplication(ctx, e, id)
		if err != nil {
			return err
		}
		now := was
		fn(&now)
		now.ID, now.SecretHash, now.CreatedBy, now.CreatedAt = was.ID, was.SecretHash, was.CreatedBy, was.CreatedAt
		now.ChangedAt = s.now().UTC().Truncate(timeUnit)
		if now, err = s.checkApplication(now); err != nil {
			return err
		}
		if err := s.groupsExist(ctx, e, now.Groups); err != nil {
			return err
		}
		out = now
		e.note("application.set", now.ID, was.shown(), now.shown())
		return e.PutApplication(ctx, now)
	})
	if err != nil {
		return Application{}, err
	}
	return out, s.checkGrants(ctx, GrantFilter{Application: out.ID})
}

// RenewApplicationSecret gives a confidential application another secret; the old one is good no more.
func (s *Service) RenewApplicationSecret(ctx context.Context, by Actor, id string) (Secret, error) {
	if err := mayApplications(by); err != nil {
		return Secret{}, err
	}
	secret, hash := newApplicationSecret()
	err := s.edit(ctx, by, func(e *edit) error {
		a, err := findApplication(ctx, e, id)
		if err != nil {
			return err
		}
		if a.Public() {
			return faultf(ErrInvalid, "%q is a public client: it has no secret", a.ID)
		}
		a.SecretHash, a.ChangedAt = hash, s.now().UTC().Truncate(timeUnit)
		e.note("application.secret", a.ID, nil, nil)
		return e.PutApplication(ctx, a)
	})
	if err != nil {
		return Secret{}, err
	}
	return secret, nil
}

// RemoveApplication removes an application, and all that people have granted it.
func (s *Service) RemoveApplication(ctx context.Context, by Actor, id string) error {
	if err := mayApplications(by); err != nil {
		return err
	}
	return s.edit(ctx, by, func(e *edit) error {
		a, err := findApplication(ctx, e, id)
		if err != nil {
			return err
		}
		for { // as many at a time as a list has
			gs, err := e.ApplicationGrants(ctx, GrantFilter{Application: a.ID})
			if err != nil {
				return err
			}
			if len(gs) == 0 {
				break
			}
			if err := e.endGrants(ctx, gs, a); err != nil {
				return err
			}
		}
		e.note("application.remove", a.ID, a.shown(), nil)
		return e.RemoveApplication(ctx, a.ID)
	})
}

// Application reads one by its ID; ErrNotFound where there is none.
func (s *Service) Application(ctx context.Context, id string) (Application, error) {
	return findApplication(ctx, s.store, id)
}

// ApplicationList lists all by name.
func (s *Service) ApplicationList(ctx context.Context) ([]Application, error) {
	return s.store.Applications(ctx)
}

func findApplication(ctx context.Context, r StoreReader, id string) (Application, error) {
	if len(id) > maxApplicationID || plain(id) != id {
		return Application{}, faultf(ErrNotFound, "no application of this ID")
	}
	a, err := r.Application(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Application{}, faultf(ErrNotFound, "no application %q", id)
	}
	return a, err
}

func (s *Service) groupsExist(ctx context.Context, r StoreReader, groups []string) error {
	for _, name := range groups {
		if _, err := s.findGroup(ctx, r, name, s.opts.Domain); err != nil {
			return err
		}
	}
	return nil
}

// applicationID makes an ID of a name.
func applicationID(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= maxApplicationID/2 {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// checkApplication returns an application in its normal form, or says what is wrong with it.
func (s *Service) checkApplication(a Application) (Application, error) {
	a.Name, a.LogoutURI = strings.TrimSpace(a.Name), strings.TrimSpace(a.LogoutURI)
	if a.Algorithm == "" {
		a.Algorithm = "RS256"
	}
	if len(a.Scopes) == 0 {
		a.Scopes = []string{ScopeProfile, ScopeEmail}
	}
	a.Scopes = slices.DeleteFunc(ApplicationScopes(), func(x string) bool { return x != ScopeOpenID && !slices.Contains(a.Scopes, x) })
	a.Redirects, a.LogoutRedirects, a.Groups = tidy(a.Redirects), tidy(a.LogoutRedirects), tidy(a.Groups)
	if err := checkText("name", a.Name, maxApplicationName, false); err != nil {
		return a, err
	}
	switch {
	case a.Name == "":
		return a, faultf(ErrInvalid, "an application needs a name, which people read when it wants to know them")
	case a.ID == "" || len(a.ID) > maxApplicationID || strings.Trim(a.ID, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "":
		return a, faultf(ErrInvalid, "the ID of an application is made of a to z, 0 to 9, dots, dashes and underscores, %d at most", maxApplicationID)
	case a.Algorithm != "RS256" && a.Algorithm != "ES256":
		return a, faultf(ErrInvalid, "the algorithm is RS256, which each client takes, or ES256")
	case a.Level != LevelNone && !a.Level.Holdable():
		return a, faultf(ErrInvalid, "no account holds the level %s", a.Level)
	case len(a.Groups) > maxAppGroups:
		return a, faultf(ErrInvalid, "an application is for %d groups at most", maxAppGroups)
	case len(a.Redirects) == 0:
		return a, faultf(ErrInvalid, "an application needs an address that the browser is sent back to; its documentation calls it redirect URI or callback")
	case len(a.Redirects) > maxRedirects || len(a.LogoutRedirects) > maxRedirects:
		return a, faultf(ErrInvalid, "an application has %d addresses of each kind at most", maxRedirects)
	}
	for _, list := range [][]string{a.Redirects, a.LogoutRedirects} {
		for _, u := range list {
			if err := checkRedirect(u, a.Public()); err != nil {
				return a, err
			}
		}
	}
	return a, s.checkLogoutURI(a)
}

func tidy(list []string) []string {
	var out []string
	for _, x := range list {
		if x = strings.TrimSpace(x); x != "" && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// checkRedirect takes https everywhere, http on this machine alone, and of a public client a scheme
// of its own, which has a dot as it is a name that somebody owns (RFC 8252 section 7.1).
func checkRedirect(text string, public bool) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxRedirect:
		return faultf(ErrInvalid, "an address of an application has %d bytes at most", maxRedirect)
	case err != nil || u.Scheme == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>*^`{|}", r) }):
		return faultf(ErrInvalid, "%q is no address such as https://app.example.org/callback; it counts to the letter, without wildcards", text)
	case strings.Contains(text, "#"), u.User != nil:
		return faultf(ErrInvalid, "%q: an address of an application has neither a part after # nor a name before @", text)
	}
	switch u.Scheme {
	case "https":
		if u.Hostname() == "" {
			return faultf(ErrInvalid, "%q has no host", text)
		}
	case "http":
		if !loopback(u.Hostname()) {
			return faultf(ErrInvalid, "%q: http:// is for programs on the person's own machine (127.0.0.1, [::1], localhost); write https://", text)
		}
	default:
		if !public || !strings.Contains(u.Scheme, ".") {
			return faultf(ErrInvalid, "%q: an address begins with https://, or of a public client with a scheme that has a dot, such as org.example.app:/callback", text)
		}
	}
	return nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// checkLogoutURI lets logout tokens go to hosts alone that the application or the config names.
func (s *Service) checkLogoutURI(a Application) error {
	if a.LogoutURI == "" {
		return nil
	}
	u, err := url.Parse(a.LogoutURI)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return faultf(ErrInvalid, "%q is no address such as https://app.example.org/logout", a.LogoutURI)
	}
	if err := checkRedirect(a.LogoutURI, false); err != nil {
		return err
	}
	if !s.LogoutAllowed(a) {
		return faultf(ErrInvalid, "logout tokens go to the hosts of an application's own addresses, and to those that provider.logout_hosts names; %s is none of them", u.Host)
	}
	return nil
}

// LogoutAllowed reports whether logout tokens may go to the address that an application has for them.
func (s *Service) LogoutAllowed(a Application) bool {
	u, err := url.Parse(a.LogoutURI)
	if err != nil || u.Host == "" {
		return false
	}
	if slices.Contains(s.opts.Applications.LogoutHosts, u.Host) || slices.Contains(s.opts.Applications.LogoutHosts, u.Hostname()) {
		return true
	}
	return slices.ContainsFunc(a.Redirects, func(r string) bool {
		x, err := url.Parse(r)
		return err == nil && x.Hostname() == u.Hostname() && u.Hostname() != ""
	})
}

// ShownName is the login of an account as people see it.
func (s *Service) ShownName(u User) string { return s.display(u.Login, u.Domain) }

// GroupNames are the groups that an account is in, but for one of its own that bears its name.
func (s *Service) GroupNames(acc Account) []string {
	out := []string{}
	for _, g := range append([]Group{acc.Group}, acc.Groups...) {
		name := s.display(g.Name, g.Domain)
		if g.Name != "" && name != s.display(acc.Login, acc.Domain) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
