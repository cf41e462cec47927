package identity

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Link says who an account is at a provider of OpenID Connect: issuer and subject together name one
// person for ever (OpenID Connect Core 1.0 section 5.7).
type Link struct {
	Issuer   string
	Subject  string
	User     UserID
	Source   string    // the name of the provider in the config of the time
	Label    string    // what the person is called there, to be shown
	LinkedAt time.Time // when it was made
	UsedAt   time.Time // of the last log-in by it; zero: none yet
}

// unlink removes all links of an account.
func (e *edit) unlink(ctx context.Context, id UserID) error {
	ls, err := e.Links(ctx, id)
	if err != nil {
		return err
	}
	for _, l := range ls {
		if err := e.RemoveLink(ctx, l.Issuer, l.Subject); err != nil {
			return err
		}
	}
	return nil
}

// maxLinks bounds the links of one account.
const maxLinks = 20

// Provider is a provider of OpenID Connect as far as accounts are concerned.
type Provider struct {
	Name         string // what pages and links call it
	Intake       Intake
	LinkByEmail  bool     // a verified e-mail address finds the account
	EmailDomains []string // of addresses that count; empty: all
	Strong       bool     // its log-ins count as made with a second factor
}

// Foreign is somebody whom a provider has vouched for. Its Person has a Subject.
type Foreign struct {
	Provider      string // Provider.Name
	Issuer        string
	SID           string // the session there; "": it did not say
	EmailVerified bool
	Person        Person
}

// ForeignSession is what a browser session keeps of the log-in by a provider.
type ForeignSession struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	SID     string `json:"sid,omitempty"`
}

// foreignKey is where it keeps it.
var foreignKey = NewDataKey[ForeignSession]("identity.foreign") //nolint:gochecknoglobals // a name with a type

// checkProviders fills in the providers by name.
func (o Options) checkProviders() (map[string]Provider, error) {
	out := map[string]Provider{}
	for _, p := range o.Providers {
		if _, twice := out[p.Name]; twice || p.Name == "" {
			return nil, faultf(ErrInvalid, "a provider needs a name of its own: %q", p.Name)
		}
		var err error
		if p.Intake, err = o.checkIntake(p.Name, p.Intake); err != nil {
			return nil, err
		}
		out[p.Name] = p
	}
	return out, nil
}

// label is what the person is called there.
func (f Foreign) label() string {
	for _, text := range []string{f.Person.Email, f.Person.Login, f.Person.Name} {
		if text = strings.TrimSpace(plain(text)); text != "" && checkText("label", text, maxName, false) == nil {
			return text
		}
	}
	return clip(plain(f.Person.Subject), maxName)
}

// checked says what is wrong with what a provider has said.
func (f Foreign) checked() error {
	const most = 255 // OpenID Connect Core 1.0 section 2: ASCII characters of a subject
	if f.Issuer == "" || f.Person.Subject == "" || len(f.Person.Subject) > most || plain(f.Person.Subject) != f.Person.Subject || len(f.SID) > most {
		return faultf(ErrInvalid, "the provider %q does not say who that is", f.Provider)
	}
	return nil
}

// UpgradeForeign logs a browser session in as whom a provider has vouched for: the account that is
// linked; else, where the provider's rule says so, the one of the same e-mail address or a new one.
// ErrRefused where there is none, in words for the person. All else is as Upgrade.
func (s *Service) UpgradeForeign(ctx context.Context, b *Browser, f Foreign, stay bool) (Cookie, error) {
	p, ok := s.providers[f.Provider]
	if !ok {
		return Cookie{}, ErrNotFound
	}
	if err := f.checked(); err != nil {
		return Cookie{}, err
	}
	if err := s.admissible(b.Session); err != nil {
		return Cookie{}, err
	}
	if err := s.Registry.checkBan(b.Remote().Addr(), false); err != nil {
		return Cookie{}, err
	}
	acc, err := s.accountOf(ctx, b, p, f)
	if err != nil {
		return Cookie{}, err
	}
	rec := b.record
	rec.change.Lock()
	defer rec.change.Unlock()
	if err := foreignKey.Set(b, ForeignSession{f.Issuer, f.Person.Subject, f.SID}); err != nil {
		return Cookie{}, err
	}
	c := &claim{ses: rec.session, login: Login{Method: MethodOIDC, Name: string(acc.Login) + "@" + acc.Domain, Prover: linkProver{s, f}}}
	if p.Strong {
		c.factor = FactorProvider
	}
	cookie, err := s.upgradeBy(ctx, rec, c, stay, s.check)
	if err != nil && !errors.Is(err, ErrFactor) {
		foreignKey.Delete(b)
		return cookie, err
	}
	s.noteLink(f)
	return cookie, err
}

// FactorProvider says that the provider by which somebody logged in counts as a second factor.
const FactorProvider FactorKind = "provider"

// linkProver is the evidence of a log-in by a provider: the link, read in the same step.
type linkProver struct {
	s *Service
	f Foreign
}

// Prove implements Prover.
func (p linkProver) Prove(ctx context.Context, acc *Account) error {
	l, err := p.s.store.Link(ctx, p.f.Issuer, p.f.Person.Subject)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && (acc == nil || l.User != acc.ID):
		return ErrCredentials
	case err != nil:
		return unavailable(ctx, err)
	}
	return nil
}

// accountOf finds, links or makes the account of somebody.
func (s *Service) accountOf(ctx context.Context, b *Browser, p Provider, f Foreign) (Account, error) {
	by := Actor{Level: LevelRoot, Via: "source:" + p.Name, Remote: addrText(b.Remote())}
	l, err := s.store.Link(ctx, f.Issuer, f.Person.Subject)
	switch {
	case err == nil:
		acc, err := s.byID(ctx, l.User)
		if err != nil {
			return Account{}, err
		}
		if acc == nil {
			return Account{}, ErrCredentials
		}
		return s.followProvider(ctx, by, p, *acc, f)
	case !errors.Is(err, ErrNotFound):
		return Account{}, unavailable(ctx, err)
	}
	nobody := faultf(ErrRefused, "no account here belongs to that of %s; log in in another way and link it on the account page, or ask an administrator", p.Name)
	if len(p.EmailDomains) > 0 && !f.emailIn(p.EmailDomains) {
		return Account{}, nobody
	}
	if p.LinkByEmail && f.EmailVerified {
		acc, err := s.accountByEmail(ctx, p, f.Person.Email)
		if err != nil {
			return Account{}, err
		}
		if acc != nil {
			if err := s.link(ctx, by, *acc, f); err != nil {
				return Account{}, err
			}
			return s.followProvider(ctx, by, p, *acc, f)
		}
	}
	if !p.Intake.Create {
		return Account{}, nobody
	}
	if wait := s.registered.take(BlockOf(b.Remote().Addr()), s.now()); wait > 0 {
		return Account{}, &waitError{ErrThrottled, wait}
	}
	acc, err := s.create(ctx, by, "", "", p.Intake, f.Person, func(e *edit, id UserID) error {
		return s.putLink(ctx, e, id, f)
	})
	switch {
	case errors.Is(err, ErrExists):
		return Account{}, faultf(ErrRefused, "the name %q is taken here; if it is you, log in in another way and link %s on the account page, else ask an administrator", f.Person.Login, p.Name)
	case errors.Is(err, ErrInvalid):
		return Account{}, faultf(ErrRefused, "no account can be made for you: %v", err)
	}
	return acc, err
}

// followProvider is follow, which a refusal does not keep from logging in.
func (s *Service) followProvider(ctx context.Context, by Actor, p Provider, acc Account, f Foreign) (Account, error) {
	out, _, err := s.follow(ctx, by, Intake{Domain: p.Intake.Domain, Level: p.Intake.Level, Levels: p.Intake.Levels, Memberships: p.Intake.Memberships}, acc,
		Person{Groups: f.Person.Groups})
	switch {
	case errors.Is(err, ErrRefused), errors.Is(err, ErrInvalid), errors.Is(err, ErrExists):
		s.log.Warn("an account does not follow its provider", "event", "source.follow", "source", p.Name, "user", s.display(acc.Login, acc.Domain), "err", err)
		return acc, nil
	case err != nil:
		return acc, unavailable(ctx, err)
	}
	return out, nil
}

func (f Foreign) emailIn(domains []string) bool {
	_, host, ok := strings.Cut(f.Person.Email, "@")
	return ok && f.EmailVerified && slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(d, host) })
}

// accountByEmail is the one account of an address, nil where there is none or more than one. An
// account that administers is linked by hand.
func (s *Service) accountByEmail(ctx context.Context, p Provider, email string) (*Account, error) {
	const most = 100
	if email == "" {
		return nil, nil
	}
	as, err := s.store.AccountsByEmail(ctx, email, most)
	if err != nil || len(as) == most {
		return nil, err
	}
	var found *Account
	for i, a := range as {
		if !strings.EqualFold(a.Profile.Email, email) || a.State != UserActive || a.Domain != p.Intake.Domain {
			continue
		}
		if found != nil {
			return nil, nil
		}
		found = &as[i]
	}
	if found != nil && found.Level.Allows(LevelAdmin) {
		return nil, nil
	}
	return found, nil
}

// link writes a link.
func (s *Service) link(ctx context.Context, by Actor, acc Account, f Foreign) error {
	return s.edit(ctx, by, func(e *edit) error { return s.putLink(ctx, e, acc.ID, f) })
}

func (s *Service) putLink(ctx context.Context, e *edit, id UserID, f Foreign) error {
	ls, err := e.Links(ctx, id)
	if err != nil {
		return err
	}
	if len(ls) >= maxLinks {
		return faultf(ErrRefused, "the account has %d links already; remove one first", maxLinks)
	}
	a, err := e.AccountByID(ctx, id)
	if err != nil {
		return err
	}
	l := Link{Issuer: f.Issuer, Subject: f.Person.Subject, User: id, Source: f.Provider, Label: f.label(), LinkedAt: s.now().UTC().Truncate(timeUnit)}
	if err := e.PutLink(ctx, l); errors.Is(err, ErrExists) {
		return faultf(ErrExists, "that account of %s is linked with another account here", f.Provider)
	} else if err != nil {
		return err
	}
	e.note("link.add", s.display(a.Login, a.Domain), nil, fields{"source": l.Source, "label": l.Label})
	return nil
}

// noteLink notes the last log-in by a link.
func (s *Service) noteLink(f Foreign) {
	at := s.now()
	s.behind.push(func(ctx context.Context, w StoreWriter) error {
		l, err := w.Link(ctx, f.Issuer, f.Person.Subject)
		if err != nil {
			return err
		}
		l.UsedAt, l.Label = at, f.label()
		return w.PutLink(ctx, l)
	})
}

// LinkForeign links the account of a session with whom a provider has vouched for.
func (s *Service) LinkForeign(ctx context.Context, by Actor, id UserID, f Foreign) error {
	if _, ok := s.providers[f.Provider]; !ok {
		return ErrNotFound
	}
	if err := f.checked(); err != nil {
		return err
	}
	acc, err := s.byID(ctx, id)
	if err != nil || acc == nil {
		return errOr(err, ErrNotFound)
	}
	if err := s.mayChange(by, acc.User, true); err != nil {
		return err
	}
	return s.link(ctx, by, *acc, f)
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Links lists the links of an account.
func (s *Service) Links(ctx context.Context, name string) ([]Link, error) {
	a, err := s.find(ctx, s.store, name)
	if err != nil {
		return nil, err
	}
	return s.store.Links(ctx, a.ID)
}

// RemoveLink removes a link of an account, and ends the sessions that were opened by it.
func (s *Service) RemoveLink(ctx context.Context, by Actor, name, issuer, subject string) error {
	err := s.edit(ctx, by, func(e *edit) error {
		a, err := s.find(ctx, e, name)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, a.User, true); err != nil {
			return err
		}
		l, err := e.Link(ctx, issuer, subject)
		if errors.Is(err, ErrNotFound) || err == nil && l.User != a.ID {
			return faultf(ErrNotFound, "%q has no such link", s.display(a.Login, a.Domain))
		}
		if err != nil {
			return err
		}
		if err := e.RemoveLink(ctx, issuer, subject); err != nil {
			return err
		}
		e.note("link.remove", s.display(a.Login, a.Domain), fields{"source": l.Source, "label": l.Label}, nil)
		return nil
	})
	if err != nil {
		return err
	}
	for _, rec := range s.browsers.foreign(func(f ForeignSession) bool { return f.Issuer == issuer && f.Subject == subject }) {
		s.demote(rec, Reason{Code: ReasonRevoked, Text: "the link with the provider was removed"})
	}
	return nil
}

// foreign returns the browser sessions that came by a provider and are chosen.
func (b *browsers) foreign(ok func(ForeignSession) bool) []*browserRecord {
	var out []*browserRecord
	for _, rec := range b.records() {
		if f, is := foreignKey.Get(b.view(rec)); is && ok(f) {
			out = append(out, rec)
		}
	}
	return out
}

// EndForeign ends all sessions, on all roads, of the account of somebody whom a provider has logged
// out (OpenID Connect Back-Channel Logout 1.0): by subject, or where it names none by the session
// there. It returns how many.
func (s *Service) EndForeign(ctx context.Context, provider, issuer, subject, sid string) (int, error) {
	owners := map[UserID]bool{}
	if subject != "" {
		l, err := s.store.Link(ctx, issuer, subject)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, unavailable(ctx, err)
		}
		if err == nil {
			owners[l.User] = true
		}
	} else {
		for _, rec := range s.browsers.foreign(func(f ForeignSession) bool { return f.Issuer == issuer && f.SID == sid && sid != "" }) {
			if c, ok := rec.session.Credentials(); ok && c.UserID != "" {
				owners[c.UserID] = true
			}
		}
	}
	n := 0
	for id := range owners {
		by := &Actor{User: "", Level: LevelRoot, Via: "source:" + provider}
		n += len(s.Registry.EndWhere(Filter{Owner: id}, Reason{Code: ReasonEnded, Text: "logged out at " + provider, By: by}))
		if acc, err := s.byID(ctx, id); err == nil && acc != nil {
			e := AuditEvent{Event: "source.logout", Via: by.Via, Subject: s.display(acc.Login, acc.Domain), Result: "ok", Detail: strconv.Itoa(n) + " sessions"}
			if err := s.Record(ctx, e); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}
