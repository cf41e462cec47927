package identity

import (
	"context"
	"errors"
	"net/netip"
	"slices"
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
	Unattended              bool   // an open page asks by itself: that is no activity of the person
	Holder                  Holder // of a session that Request opens; nil: none
}

func (v Visit) opening(p Protocol) Opening {
	return Opening{Protocol: p, Remote: v.Remote, Local: v.Local, TLS: v.TLS, UserAgent: v.UserAgent, Holder: v.Holder}
}

// maxHeader bounds what a session keeps of one request header, in bytes.
const maxHeader = 512

// bounded is v with its texts cut to what a session keeps.
func (v Visit) bounded() Visit {
	for _, text := range []*string{&v.TLS, &v.UserAgent, &v.Referer, &v.Lang} {
		*text = clip(plain(*text), maxHeader)
	}
	return v
}

// Browser is a browser session: one record from anonymous to logged in and back.
type Browser struct {
	*Session
	record *browserRecord
	turn   int
}

// CSRFToken is the session's token for forms; it changes with the cookie.
func (b *Browser) CSRFToken() string {
	b.record.all.mu.Lock()
	defer b.record.all.mu.Unlock()
	return b.record.csrf
}

// Current reports whether the cookie that this Browser was found by still stands: false after a
// change of level, for requests that began before it, and after the session's end.
func (b *Browser) Current() bool {
	b.record.all.mu.Lock()
	defer b.record.all.mu.Unlock()
	return b.record.turn == b.turn && !b.record.gone
}

// Resume finds the session of the cookies that came, the logged-in one first, checks the secret
// in constant time and notes activity. Without a valid cookie it returns ErrNotFound. set is
// non-nil where the browser must keep another cookie than it sent (a session downgraded by
// inactivity). A banned address may go on with a session that it has.
func (s *Service) Resume(ctx context.Context, v Visit) (b *Browser, set *Cookie, err error) {
	rec, err := s.findBrowser(ctx, CookieLoggedIn, v.LoggedIn, v)
	if rec == nil && err == nil {
		rec, err = s.findBrowser(ctx, CookieAnonymous, v.Anonymous, v)
	}
	if err != nil {
		return nil, nil, err
	}
	if rec == nil {
		return nil, nil, ErrNotFound
	}
	v = v.bounded()
	rec.session.Update(func(d *Details) { d.TLS, d.UserAgent, d.Lang = v.TLS, v.UserAgent, v.Lang })
	if !v.Unattended {
		rec.session.Touch()
	}
	set = s.browsers.exchange(rec)
	return s.browsers.view(rec), set, nil
}

// findBrowser returns the record that a cookie names, nil where it names none.
func (s *Service) findBrowser(ctx context.Context, kind CookieKind, value Secret, v Visit) (*browserRecord, error) {
	rec := s.browsers.find(kind, value)
	if rec == nil {
		return nil, nil
	}
	if s.idle(rec) {
		if s.browsers.kind(rec) == CookieAnonymous {
			s.Registry.finish([]*Session{rec.session}, Reason{Code: ReasonIdle, Text: "idle"}, true)
			return nil, nil
		}
		s.demote(rec, Reason{Code: ReasonIdle, Text: "idle"})
	}
	if err := s.moved(ctx, rec, v); err != nil {
		return nil, err
	}
	if s.browsers.kind(rec) == CookieLoggedIn && v.TLS == "" {
		if class := rec.session.classNow(); class != nil && class.TLSRequired {
			return nil, ErrTLSRequired
		}
	}
	return rec, nil
}

// moved decides the class anew where the browser comes from another address than before.
func (s *Service) moved(ctx context.Context, rec *browserRecord, v Visit) error {
	ses := rec.session
	if was := ses.Remote(); was.Addr().Unmap() == v.Remote.Addr().Unmap() {
		return nil
	}
	class := s.Registry.classes.of(ctx, v.Remote.Addr())
	changed, ok := s.Registry.move(ses, v.Remote, class)
	if !ok {
		return ErrNotFound
	}
	if a, in := ses.attached(); changed && in && !a.creds.Anonymous() {
		s.reconcile(ctx, a.creds.UserID)
	}
	if !class.open(RoadWeb) {
		return ErrClassDenied
	}
	return nil
}

func (s *Session) classNow() *Class {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.class
}

// idle reports whether a browser session was not heard of for as long as its kind may be.
func (s *Service) idle(rec *browserRecord) bool {
	kind, since := s.browsers.since(rec)
	limit := s.opts.AnonymousTimeout
	if kind == CookieLoggedIn {
		limit = s.opts.SessionTimeout
	}
	if at := rec.session.LastActivity(); at.After(since) {
		since = at
	}
	return limit > 0 && s.now().Sub(since) > limit
}

// StartAnonymous opens an anonymous browser session, in memory until log-in; capped per address:
// past that the oldest of the address is closed. Where policy has no anonymous web the session
// is at LevelNone, good for the log-in form alone.
func (s *Service) StartAnonymous(ctx context.Context, v Visit) (*Browser, Cookie, error) {
	if err := s.Registry.checkBan(v.Remote.Addr(), false); err != nil {
		return nil, Cookie{}, err
	}
	v = v.bounded()
	ses, err := s.Registry.newSession(ctx, s.Registry.newID(), v.opening(ProtocolWeb))
	if err != nil {
		return nil, Cookie{}, err
	}
	ses.details.Lang = v.Lang
	rec := &browserRecord{session: ses, all: s.browsers, referer: v.Referer}
	ses.browser = rec
	if at := s.anonymousBrowser(ses.classNow().name()); at != nil {
		ses.set(at)
	}
	if err := s.Registry.add(ses); err != nil {
		return nil, Cookie{}, err
	}
	cookie, surplus := s.browsers.start(rec)
	s.closeSurplus(surplus)
	return s.browsers.view(rec), cookie, nil
}

// anonymousBrowser is what a browser session holds while nobody is logged in; nil: nothing.
func (s *Service) anonymousBrowser(class string) *attachment {
	if !slices.Contains(s.opts.AnonymousRoads, RoadWeb) {
		return nil
	}
	return s.anonymous(class, time.Time{})
}

func (s *Service) closeSurplus(surplus []*browserRecord) {
	for _, rec := range surplus {
		s.Registry.finish([]*Session{rec.session}, Reason{Code: ReasonPolicy, Text: "too many anonymous sessions"}, true)
	}
}

// Upgrade logs a browser session in (Login with MethodForm or another) and rotates the cookie.
// On an error the session stays as it was, but for ErrFactor: the secret was right, and the session
// waits for the second factor (Halfway), with a cookie that the browser has to keep. A token is never
// accepted here.
func (s *Service) Upgrade(ctx context.Context, b *Browser, l Login, stay bool) (Cookie, error) {
	rec := b.record
	rec.change.Lock()
	defer rec.change.Unlock()
	if s.tokens.IsToken(l.Secret) {
		l.Method = MethodForm
	}
	return s.upgradeBy(ctx, rec, &claim{ses: rec.session, login: l}, stay, s.check)
}

// upgradeBy logs a browser session in by what prove decides; rec.change is held.
func (s *Service) upgradeBy(ctx context.Context, rec *browserRecord, c *claim, stay bool, prove func(context.Context, *claim) (*attachment, error)) (Cookie, error) {
	_, err := prove(ctx, c)
	if errors.Is(err, ErrFactor) {
		return s.halve(rec, c, stay), err
	}
	s.auditLogin(c, err)
	if err != nil {
		return Cookie{}, err
	}
	cookie, undo := s.browsers.raise(rec, stay)
	rec.session.Update(func(d *Details) { d.State = StateLoggedIn })
	if err := s.storeBrowser(ctx, rec); err != nil {
		s.Registry.replace(rec.session, s.anonymousBrowser(rec.session.Class().Name))
		rec.session.Update(func(d *Details) { d.State = StateAnonymous })
		undo()
		return Cookie{}, err
	}
	s.confirm(rec, "")
	s.upgraded(rec.session)
	return cookie, nil
}

// storeBrowser writes the record's row, durably.
func (s *Service) storeBrowser(ctx context.Context, rec *browserRecord) error {
	err := s.store.Write(ctx, func(w StoreWriter) error {
		row, ok := s.browsers.row(rec)
		if !ok {
			return ErrEnded
		}
		return w.PutBrowserSession(ctx, row)
	})
	if err != nil && rec.session.endedNow() {
		return ErrEnded
	}
	if err != nil {
		return unavailable(ctx, err)
	}
	return nil
}

func (s *Session) endedNow() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Downgrade logs a browser session out: it goes on as an anonymous one under a new cookie.
func (s *Service) Downgrade(_ context.Context, b *Browser, why Reason) (Cookie, error) {
	rec := b.record
	rec.change.Lock()
	defer rec.change.Unlock()
	s.lower(rec, why)
	if b.endedNow() {
		return Cookie{}, ErrEnded
	}
	return s.browsers.renew(rec), nil
}

// demote takes a browser session back to anonymous behind the browser's back. Its old cookie is
// good for one thing yet: to be exchanged for an anonymous one.
func (s *Service) demote(rec *browserRecord, why Reason) {
	rec.change.Lock()
	defer rec.change.Unlock()
	s.lower(rec, why)
}

// lower does what Downgrade and demote have in common; rec.change is held.
func (s *Service) lower(rec *browserRecord, why Reason) {
	was, ok := rec.session.attached()
	if !ok || was.creds.Anonymous() || !s.Registry.replace(rec.session, s.anonymousBrowser(rec.session.Class().Name)) {
		return
	}
	rec.session.Update(func(d *Details) { d.State = StateAnonymous })
	surplus := s.browsers.lower(rec)
	s.removeRows(rec.session.id)
	s.endPasses(rec.session.id, why)
	s.sessionGrants(rec.session.id, was.creds.UserID, why)
	s.auditEnd(EventLogout, rec.session, was, why)
	s.downgraded(rec.session)
	rec.session.tellChanged()
	s.closeSurplus(surplus)
}

// removeRows takes browser sessions out of the store; if that fails now, then later.
func (s *Service) removeRows(ids ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), truthTimeout)
	defer cancel()
	remove := func(ctx context.Context, w StoreWriter) error { return w.RemoveBrowserSessions(ctx, ids...) }
	if err := s.store.Write(ctx, func(w StoreWriter) error { return remove(ctx, w) }); err != nil {
		s.log.Error("removing browser sessions", "err", err)
		s.behind.push(remove)
	}
}

// OnUpgrade and OnDowngrade subscribe to changes of level between anonymous and logged in, on
// every road (Node++ npp_app_user_login, npp_app_user_logout). fn must not block. They are
// called before the service runs.
func (s *Service) OnUpgrade(fn func(*Session)) { s.onUpgrade = append(s.onUpgrade, fn) }

// OnDowngrade: see OnUpgrade. The session's credentials are those of the time after it.
func (s *Service) OnDowngrade(fn func(*Session)) { s.onDowngrade = append(s.onDowngrade, fn) }

func (s *Service) upgraded(ses *Session) {
	for _, fn := range s.onUpgrade {
		fn(ses)
	}
}

func (s *Service) downgraded(ses *Session) {
	for _, fn := range s.onDowngrade {
		fn(ses)
	}
}
