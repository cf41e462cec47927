package identity

import (
	"context"
	"errors"
	"time"
)

// Bounds of a log-in whose password was right and which waits for the second factor.
const (
	halfLife  = 10 * time.Minute
	halfTries = 5
)

// EventLoginFactor says that a password was right and that the second factor is asked for now.
const EventLoginFactor = "login.factor"

// halfway is such a log-in. Its session is as anonymous as before, under a new cookie.
type halfway struct {
	claim *claim // whose secret was right
	stay  bool
	until time.Time
	tries int // that are left
}

// passing is what a browser session knows for some minutes; each change of level, and each new
// cookie, clears it.
type passing struct {
	half       *halfway
	ceremonies []ceremony
	enrol      *enrolment
	ask        *chatAsk
	confirmed  time.Time // when the person last showed to be it
	// confirmedBy is the second factor that was shown then, since the log-in.
	confirmedBy FactorKind
}

func (p *passing) clear() {
	if p.ask != nil {
		p.ask.cancel()
	}
	*p = passing{}
}

// Halfway is a log-in that waits for the second factor, as pages show it.
type Halfway struct {
	User  string
	Tries int // wrong answers that are left
	Until time.Time
	// Enrol says that policy wants a second factor and that the account has none: it has to be set
	// up first.
	Enrol                         bool
	TOTP, Recovery, Passkey, Chat bool // the ways that are open
}

// halve notes that a log-in waits for its second factor; the cookie is a new one, so that nobody who
// planted the old one comes along.
func (s *Service) halve(rec *browserRecord, c *claim, stay bool) Cookie {
	s.trail(c.ses, s.display(c.acc.Login, c.acc.Domain), AuditEvent{Event: EventLoginFactor,
		Subject: s.display(c.acc.Login, c.acc.Domain), Method: c.login.Method, Result: "ok"})
	b := s.browsers
	b.mu.Lock()
	defer b.mu.Unlock()
	cookie := b.turnTo(rec, CookieAnonymous, false)
	rec.half = &halfway{claim: c, stay: stay, until: s.now().Add(halfLife), tries: halfTries}
	return cookie
}

// halfOf returns the log-in that waits on a session; nil where none does.
func (s *Service) halfOf(rec *browserRecord) *halfway {
	b := s.browsers
	b.mu.Lock()
	defer b.mu.Unlock()
	if rec.half != nil && !s.now().Before(rec.half.until) {
		rec.passing.clear()
	}
	return rec.half
}

// Halfway returns the log-in that waits on a browser session; false where none does, or not any
// more.
func (s *Service) Halfway(ctx context.Context, b *Browser) (Halfway, bool, error) {
	h := s.halfOf(b.record)
	if h == nil {
		return Halfway{}, false, nil
	}
	acc, err := s.byID(ctx, h.claim.acc.ID)
	if err != nil || acc == nil {
		return Halfway{}, false, err
	}
	out := Halfway{User: s.display(acc.Login, acc.Domain), Until: h.until, Enrol: !acc.Factors.Usable(),
		TOTP: s.totp != nil && acc.Factors.Has(FactorTOTP), Recovery: acc.Factors.Has(FactorRecovery),
		Passkey: s.passkeys != nil && acc.Factors.Has(FactorPasskey)}
	out.Chat = acc.Factors.Has(FactorChat) && s.chat != nil && s.chat.Reachable(acc.Login, acc.Domain)
	s.browsers.mu.Lock()
	out.Tries = h.tries
	s.browsers.mu.Unlock()
	return out, true, nil
}

// LeaveHalfway gives a waiting log-in up.
func (s *Service) LeaveHalfway(b *Browser) {
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	b.record.passing.clear()
}

// FinishCode ends a waiting log-in with a code of the authenticator app, or a recovery code; the
// session is logged in then, under a new cookie. A wrong or used code is ErrCredentials, and costs
// one of the tries; ErrEnded where no log-in waits (any more).
func (s *Service) FinishCode(ctx context.Context, b *Browser, code Secret) (Cookie, error) {
	return s.finish(ctx, b, func(h *halfway) (FactorKind, error) {
		return s.useCode(ctx, b.Session, h.claim.acc.ID, code)
	})
}

// FinishPasskey is FinishCode with a passkey of the account, asked for by AskPasskey.
func (s *Service) FinishPasskey(ctx context.Context, b *Browser, site Site, answer []byte) (Cookie, error) {
	return s.finish(ctx, b, func(h *halfway) (FactorKind, error) {
		row, err := s.usePasskey(ctx, b, site, answer)
		if err == nil && row.User != h.claim.acc.ID {
			err = ErrCredentials
		}
		return FactorPasskey, err
	})
}

// finish ends a waiting log-in with what prove says.
func (s *Service) finish(ctx context.Context, b *Browser, prove func(*halfway) (FactorKind, error)) (Cookie, error) {
	rec := b.record
	rec.change.Lock()
	defer rec.change.Unlock()
	h := s.halfOf(rec)
	if h == nil {
		return Cookie{}, ErrEnded
	}
	kind, err := s.proveFactor(ctx, rec.session, h.claim.acc, func() (FactorKind, error) { return prove(h) })
	if err != nil {
		if errors.Is(err, ErrCredentials) {
			s.browsers.missed(rec)
		}
		return Cookie{}, err
	}
	return s.raise(ctx, rec, h, kind)
}

// missed takes one try away, and the waiting log-in with the last.
func (b *browsers) missed(rec *browserRecord) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rec.half == nil {
		return
	}
	if rec.half.tries--; rec.half.tries <= 0 {
		rec.passing.clear()
	}
}

// raise logs in the session of a waiting log-in. The account is looked at again: a password that was
// changed meanwhile ends it.
func (s *Service) raise(ctx context.Context, rec *browserRecord, h *halfway, kind FactorKind) (Cookie, error) {
	c := *h.claim
	c.factor = kind
	return s.upgradeBy(ctx, rec, &c, h.stay, s.admit)
}

// proveFactor asks for a factor through the throttle: wrong ones count for the address as wrong
// passwords do. How many codes of one account may be tried the store keeps count of.
func (s *Service) proveFactor(ctx context.Context, ses *Session, acc *Account, prove func() (FactorKind, error)) (FactorKind, error) {
	try, err := s.throttle.enter(ctx, BlockOf(ses.Remote().Addr()), string(keyed(s.seal.names, "factor", string(acc.ID))))
	if err != nil {
		return "", err
	}
	kind, err := prove()
	try.end(err, true)
	if err != nil && kind != "" {
		s.auditLogin(&claim{ses: ses, acc: acc, login: Login{Method: Method(kind)}}, err)
	}
	return kind, err
}
