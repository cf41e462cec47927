package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Numbers of grants.
const (
	codeLife           = time.Minute // RFC 6749 section 4.1.2 recommends ten at most
	defaultAccessLife  = 15 * time.Minute
	defaultRefreshLife = 30 * 24 * time.Hour
	maxGrants          = 50 // of one person at one application; the one that was used least lately gives way
	grantRate          = 60 // that one person makes within grantWindow
	grantWindow        = time.Minute
)

// Grant events in the audit log.
const (
	EventApplicationGrant  = "application.grant"
	EventApplicationRefuse = "application.refuse"
	EventApplicationEnd    = "application.end"
	EventApplicationReplay = "application.replay" // a code or refresh token came a second time
)

// ApplicationGrant is a log-in of a person at an application: from the code that the browser carries
// there to the last token that hangs on it.
type ApplicationGrant struct {
	ID                string
	Application       string
	User              UserID
	Session           string // the browser session that it came from; "": it is over, and the grant goes on
	SID               string // what the application calls that session
	Scopes            []string
	Redirect          string // that the code was for
	Challenge         string // of PKCE, S256
	Nonce             string
	Method            Method     // how the person had logged in
	Factor            FactorKind // and by which second factor; "": none
	CredentialVersion int64      // of the account then
	Generation        int64      // 0: the code was not used yet; of the refresh token after that
	AuthAt            time.Time  // when the person last showed to be it
	CreatedAt         time.Time
	UsedAt            time.Time
	ExpiresAt         time.Time
}

// Offline reports whether the grant outlives the session that it came from.
func (g ApplicationGrant) Offline() bool { return slices.Contains(g.Scopes, ScopeOffline) }

// ApplicationUser is what a person has let an application know.
type ApplicationUser struct {
	Application string
	User        UserID
	Scopes      []string
	Agreed      bool // the person was asked; false: the application asks nobody
	FirstAt     time.Time
	LastAt      time.Time
}

// GrantFilter chooses grants; zero fields choose all.
type GrantFilter struct {
	User        UserID
	Application string
	Session     string
	Expired     time.Time // those that end before it
	Limit       int       // 0: 500
}

// EndedGrant is one that has ended, with its application as it was.
type EndedGrant struct {
	ApplicationGrant
	To Application
}

// OnGrantEnd subscribes to ends of grants, and of the sessions that they hang on, before Run: whoever
// tells applications of them. fn must not block.
func (s *Service) OnGrantEnd(fn func([]EndedGrant)) { s.onGrantEnd = append(s.onGrantEnd, fn) }

func (s *Service) tellGrants(list []EndedGrant) {
	if len(list) == 0 {
		return
	}
	for _, fn := range s.onGrantEnd {
		fn(list)
	}
}

// Proof is how and when the person at a browser session has shown to be it.
type Proof struct {
	At     time.Time // the last time
	Method Method
	Factor FactorKind // "": a password alone
}

// ProofOf returns the proof of a logged-in browser session; false where nobody is logged in.
func (s *Service) ProofOf(b *Browser) (Proof, bool) {
	a, ok := b.attached()
	if !ok || a.creds.Anonymous() {
		return Proof{}, false
	}
	p := Proof{At: a.creds.LoginAt, Method: a.method, Factor: a.factor}
	if p.Factor == "" && a.method == MethodPasskey {
		p.Factor = FactorPasskey
	}
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	if at := b.record.confirmed; at.After(p.At) {
		p.At = at
	}
	if p.Factor == "" {
		p.Factor = b.record.confirmedBy
	}
	return p, true
}

// MayUseApplication says whether the person at a browser session may log in to an application: nil,
// ErrEnded where nobody is logged in, ErrFactor where a second factor has to be shown first, else
// ErrRefused.
func (s *Service) MayUseApplication(ctx context.Context, b *Browser, app Application) error {
	_, _, err := s.userOf(ctx, b, app)
	return err
}

func (s *Service) userOf(ctx context.Context, b *Browser, app Application) (*Account, Proof, error) {
	p, ok := s.ProofOf(b)
	a, in := b.attached()
	if !ok || !in || a.creds.Grant != nil {
		return nil, p, ErrEnded
	}
	acc, err := s.active(ctx, a.creds.UserID)
	if errors.Is(err, ErrNotFound) || err == nil && acc.CredentialVersion > a.creds.CredentialVersion {
		return nil, p, ErrEnded
	}
	if err != nil {
		return nil, p, err
	}
	if app.Level != LevelNone && !b.Level().Allows(app.Level) {
		return acc, p, faultf(ErrRefused, "your account may not log in to %s", app.Name)
	}
	return acc, p, s.fits(acc, app, p.Factor)
}

// fits says why an account may not use an application, or nil.
func (s *Service) fits(acc *Account, app Application, factor FactorKind) error {
	refused := faultf(ErrRefused, "your account may not log in to %s", app.Name)
	switch {
	case acc.MustChange, len(acc.Roads) > 0 && !slices.Contains(acc.Roads, RoadWeb):
		return refused
	case app.Level != LevelNone && !acc.Level.Allows(app.Level):
		return refused
	case len(app.Groups) > 0 && !slices.ContainsFunc(append([]Group{acc.Group}, acc.Groups...), func(g Group) bool {
		return slices.Contains(app.Groups, s.display(g.Name, g.Domain))
	}):
		return refused
	case app.Factor && factor == "":
		return ErrFactor
	}
	return nil
}

// NewGrant is what an application asks for, checked by whoever speaks its protocol.
type NewGrant struct {
	Scopes    []string
	Redirect  string
	Challenge string
	Nonce     string
	Agreed    bool // the person has just said yes
}

// Authorize gives an application a code for the person at a browser session: good once, for a minute.
// The errors are those of MayUseApplication, and ErrThrottled.
func (s *Service) Authorize(ctx context.Context, b *Browser, app Application, n NewGrant, by Actor) (Secret, error) {
	acc, proof, err := s.userOf(ctx, b, app)
	if err != nil {
		if errors.Is(err, ErrRefused) && acc != nil {
			_ = s.RefusedApplication(ctx, by, acc, app, "level or groups do not suffice")
		}
		return Secret{}, err
	}
	now := s.now().UTC().Truncate(timeUnit)
	if wait := s.grantRate.take(acc.ID, now); wait > 0 {
		return Secret{}, &waitError{ErrThrottled, wait}
	}
	g := ApplicationGrant{ID: newGrantID(), Application: app.ID, User: acc.ID, Session: b.ID(), SID: s.sidOf(b, acc.ID), Scopes: n.Scopes,
		Redirect: n.Redirect, Challenge: n.Challenge, Nonce: n.Nonce, Method: proof.Method, Factor: proof.Factor,
		CredentialVersion: acc.CredentialVersion, AuthAt: proof.At.UTC().Truncate(timeUnit), CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(codeLife)}
	who := s.display(acc.Login, acc.Domain)
	err = s.edit(ctx, by, func(e *edit) error {
		if err := e.roomForGrant(ctx, g, app); err != nil {
			return err
		}
		u, err := e.ApplicationUser(ctx, app.ID, acc.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err != nil {
			u = ApplicationUser{Application: app.ID, User: acc.ID, FirstAt: now}
		}
		u.LastAt, u.Agreed = now, u.Agreed || n.Agreed
		for _, x := range n.Scopes {
			if !slices.Contains(u.Scopes, x) {
				u.Scopes, u.Agreed = append(u.Scopes, x), n.Agreed // a yes was to what was asked then
			}
		}
		if err := e.PutApplicationUser(ctx, u); err != nil {
			return err
		}
		e.note(EventApplicationGrant, who, nil, fields{"application": app.ID, "scopes": strings.Join(n.Scopes, " ")})
		return e.AddApplicationGrant(ctx, g)
	})
	if err != nil {
		return Secret{}, err
	}
	return s.seal.signGrantToken(grantToken{kind: codeToken, grant: g.ID, expires: now.Add(codeLife)}), nil
}

// sidOf names the log-in of a browser session to applications: another one after each log-in.
func (s *Service) sidOf(b *Browser, user UserID) string {
	return base64.RawURLEncoding.EncodeToString(keyed(s.seal.roads, "sessions of applications", b.ID(), string(user), b.loginAt().UTC().String())[:16])
}

// roomForGrant ends the grants of a person at an application that are too many.
func (e *edit) roomForGrant(ctx context.Context, g ApplicationGrant, app Application) error {
	list, err := e.ApplicationGrants(ctx, GrantFilter{User: g.User, Application: g.Application})
	if err != nil || len(list) < maxGrants {
		return err
	}
	slices.SortFunc(list, func(a, b ApplicationGrant) int { return a.UsedAt.Compare(b.UsedAt) })
	return e.endGrants(ctx, list[:len(list)-maxGrants+1], app)
}

// RefusedApplication notes that somebody was refused at an application.
func (s *Service) RefusedApplication(ctx context.Context, by Actor, acc *Account, app Application, why string) error {
	subject := app.ID
	if acc != nil {
		subject = s.display(acc.Login, acc.Domain)
	}
	return s.Record(ctx, AuditEvent{Event: EventApplicationRefuse, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: subject, Result: "refused",
		Detail: why, After: fields{"application": app.ID}.text()})
}

// Agreed reports whether a person has agreed to an application with at least these scopes.
func (s *Service) Agreed(ctx context.Context, b *Browser, app Application, scopes []string) (bool, error) {
	a, ok := b.attached()
	if !ok || a.creds.Anonymous() {
		return false, ErrEnded
	}
	u, err := s.store.ApplicationUser(ctx, app.ID, a.creds.UserID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return u.Agreed && !slices.ContainsFunc(scopes, func(x string) bool { return !slices.Contains(u.Scopes, x) }), nil
}

// Issued is what an application gets for a code or a refresh token.
type Issued struct {
	Grant   ApplicationGrant
	Account Account
	App     Application
	Access  Secret
	Refresh Secret        // zero: none
	Life    time.Duration // of Access
}

// Redeem exchanges a code. Whatever is wrong is ErrCredentials; a code that came before ends all that it
// gave, and so does one with another verifier, redirect or application, as somebody else has got it then.
func (s *Service) Redeem(ctx context.Context, app Application, code Secret, redirect, verifier string, by Actor) (Issued, error) {
	t, ok := s.seal.readGrantToken(codeToken, code)
	if !ok {
		return Issued{}, ErrCredentials
	}
	return s.issue(ctx, app, t, by, func(g ApplicationGrant) string {
		sum := sha256.Sum256([]byte(verifier))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		switch {
		case g.Generation != 0:
			return "the code came before"
		case g.Application != app.ID:
			return "the code is another application's"
		case g.Redirect != redirect:
			return "the code is for another address"
		case g.Challenge != "" && (len(verifier) < 43 || len(verifier) > 128 || subtle.ConstantTimeCompare([]byte(challenge), []byte(g.Challenge)) != 1),
			g.Challenge == "" && verifier != "": // RFC 9700 section 2.1.1: a downgrade
			return "the verifier does not belong to the code"
		}
		return ""
	})
}

// Refresh exchanges a refresh token, which is good once; one that came before ends the grant (RFC 9700
// section 4.14.2), as one of the two who have it has no right to it.
func (s *Service) Refresh(ctx context.Context, app Application, token Secret, by Actor) (Issued, error) {
	t, ok := s.seal.readGrantToken(refreshToken, token)
	if !ok {
		return Issued{}, ErrCredentials
	}
	return s.issue(ctx, app, t, by, func(g ApplicationGrant) string {
		switch {
		case g.Application != app.ID:
			return "the refresh token is another application's"
		case g.Generation != int64(t.generation):
			return "the refresh token came before"
		}
		return ""
	})
}

// issue brings a grant forward by one, and gives tokens for it. wrong says what shows that somebody has
// what is not theirs; "" where nothing does.
func (s *Service) issue(ctx context.Context, app Application, t grantToken, by Actor, wrong func(ApplicationGrant) string) (Issued, error) {
	now := s.now().UTC().Truncate(timeUnit)
	var out Issued
	refused := false
	err := s.edit(ctx, by, func(e *edit) error {
		refused = true
		g, err := e.ApplicationGrant(ctx, t.grant)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		owner, err := findApplication(ctx, e, g.Application)
		if err != nil {
			return err
		}
		acc, err := e.AccountByID(ctx, g.User)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if why := wrong(g); why != "" {
			e.note(EventApplicationReplay, s.display(acc.Login, acc.Domain), nil, fields{"application": g.Application, "presented_by": app.ID, "reason": why})
			return e.endGrants(ctx, []ApplicationGrant{g}, owner)
		}
		if !now.Before(t.expires) || !now.Before(g.ExpiresAt) {
			return nil
		}
		if s.holds(&acc, owner, g) != nil {
			return e.endGrants(ctx, []ApplicationGrant{g}, owner)
		}
		g.UsedAt, g.ExpiresAt = now, now.Add(s.refreshLife())
		err = e.AdvanceApplicationGrant(ctx, g.ID, g.Generation, g.UsedAt, g.ExpiresAt)
		if errors.Is(err, ErrNotFound) {
			return nil // somebody else was faster
		}
		if err != nil {
			return err
		}
		g.Generation++
		refused = false
		out = Issued{Grant: g, Account: acc, App: owner}
		return nil
	})
	if err != nil {
		return Issued{}, unavailable(ctx, err)
	}
	if refused {
		return Issued{}, ErrCredentials
	}
	g := out.Grant
	out.Life = s.accessLife()
	out.Access = s.seal.signGrantToken(grantToken{kind: accessToken, grant: g.ID, generation: uint32(g.Generation), expires: now.Add(out.Life)}) //nolint:gosec // one a refresh
	if g.Offline() {
		out.Refresh = s.seal.signGrantToken(grantToken{kind: refreshToken, grant: g.ID, generation: uint32(g.Generation), expires: g.ExpiresAt}) //nolint:gosec // likewise
	}
	return out, nil
}

func (s *Service) accessLife() time.Duration {
	if d := s.opts.Applications.AccessLife; d > 0 {
		return d
	}
	return defaultAccessLife
}

func (s *Service) refreshLife() time.Duration {
	if d := s.opts.Applications.RefreshLife; d > 0 {
		return d
	}
	return defaultRefreshLife
}

// holds says why a grant is good no more, or nil: the account is as it was, and may use the application.
func (s *Service) holds(acc *Account, app Application, g ApplicationGrant) error {
	switch {
	case acc == nil || acc.ID == "" || acc.State != UserActive:
		return ErrDisabled
	case !acc.ExpiresAt.IsZero() && !s.now().Before(acc.ExpiresAt):
		return ErrExpired
	case acc.CredentialVersion > g.CredentialVersion:
		return ErrCredentials
	}
	return s.fits(acc, app, g.Factor)
}

// ApplicationAccess returns whom an access token is about. Whatever is wrong is ErrCredentials: it has
// expired or its grant has ended, the account is disabled, has another password or may not use the
// application any more.
func (s *Service) ApplicationAccess(ctx context.Context, token Secret) (Issued, error) {
	t, ok := s.seal.readGrantToken(accessToken, token)
	if !ok || !s.now().Before(t.expires) {
		return Issued{}, ErrCredentials
	}
	out, err := s.issued(ctx, t)
	out.Life = t.expires.Sub(s.now())
	return out, err
}

// issued reads what a token hangs on.
func (s *Service) issued(ctx context.Context, t grantToken) (Issued, error) {
	g, err := s.store.ApplicationGrant(ctx, t.grant)
	if errors.Is(err, ErrNotFound) || err == nil && g.Generation == 0 {
		return Issued{}, ErrCredentials
	}
	if err != nil {
		return Issued{}, unavailable(ctx, err)
	}
	acc, err := s.byID(ctx, g.User)
	if err != nil {
		return Issued{}, err
	}
	app, err := s.store.Application(ctx, g.Application)
	if errors.Is(err, ErrNotFound) {
		return Issued{}, ErrCredentials
	}
	if err != nil {
		return Issued{}, unavailable(ctx, err)
	}
	if s.holds(acc, app, g) != nil {
		return Issued{}, ErrCredentials
	}
	return Issued{Grant: g, Account: *acc, App: app}, nil
}

// RevokeApplicationToken ends the grant of an access or refresh token, where it is the application's own
// (RFC 7009). That it means nothing is no error.
func (s *Service) RevokeApplicationToken(ctx context.Context, app Application, token Secret, by Actor) error {
	t, ok := s.seal.readGrantToken(refreshToken, token)
	if !ok {
		t, ok = s.seal.readGrantToken(accessToken, token)
	}
	if !ok {
		return nil
	}
	return s.edit(ctx, by, func(e *edit) error {
		g, err := e.ApplicationGrant(ctx, t.grant)
		if errors.Is(err, ErrNotFound) || err == nil && g.Application != app.ID {
			return nil
		}
		if err != nil {
			return err
		}
		acc, err := e.AccountByID(ctx, g.User)
		if err != nil {
			return err
		}
		e.note(EventApplicationEnd, s.display(acc.Login, acc.Domain), nil, fields{"application": app.ID, "reason": "the application revoked it"})
		app.LogoutURI = "" // it knows
		return e.endGrants(ctx, []ApplicationGrant{g}, app)
	})
}

// introspectGrant is Introspect for the tokens of applications.
func (s *Service) introspectGrant(ctx context.Context, value Secret) (*Introspection, error) {
	t, ok := s.seal.readGrantToken(accessToken, value)
	if !ok {
		if t, ok = s.seal.readGrantToken(refreshToken, value); !ok {
			return nil, ErrNotFound
		}
	}
	if !s.now().Before(t.expires) {
		return nil, ErrNotFound
	}
	x, err := s.issued(ctx, t)
	if errors.Is(err, ErrCredentials) || err == nil && t.kind == refreshToken && x.Grant.Generation != int64(t.generation) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &Introspection{Kind: IntrospectApplication, Account: &x.Account, Level: x.Account.Level.Min(LevelCustomer), Expires: t.expires,
		Begun: x.Grant.AuthAt, Scopes: x.Grant.Scopes, TokenID: x.Grant.ID, Application: x.App.ID}, nil
}

// MayCome says whether an address may talk to this server at all: bans and classes.
func (s *Service) MayCome(ctx context.Context, from netip.Addr) error {
	if err := s.Registry.checkBan(from, true); err != nil {
		return err
	}
	if !s.Registry.classes.of(ctx, from).open(RoadWeb) {
		return ErrClassDenied
	}
	return nil
}

// ApplicationSID is what applications call the log-in of a browser session; "" where nobody is logged in.
func (s *Service) ApplicationSID(b *Browser) string {
	a, ok := b.attached()
	if !ok || a.creds.Anonymous() {
		return ""
	}
	return s.sidOf(b, a.creds.UserID)
}
