package identity

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"
)

// Bounds of questions to authenticators.
const (
	ceremonyLife = 5 * time.Minute
	maxCeremony  = 4 // of one browser session: several tabs
)

// ceremony is a question that waits for its answer, once, in the browser session that it was asked
// in.
type ceremony struct {
	challenge string
	state     []byte
	made      bool // for a new passkey
	until     time.Time
}

// keepCeremony remembers a question; of too many the oldest is forgotten.
func (s *Service) keepCeremony(rec *browserRecord, c Ceremony, made bool) {
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	if len(rec.ceremonies) >= maxCeremony {
		rec.ceremonies = rec.ceremonies[1:]
	}
	rec.ceremonies = append(rec.ceremonies, ceremony{c.Challenge, c.State, made, s.now().Add(ceremonyLife)})
}

// takeCeremony finds the question of an answer, and forgets it.
func (s *Service) takeCeremony(rec *browserRecord, challenge string, made bool) ([]byte, bool) {
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	for i, c := range rec.ceremonies {
		if c.made == made && subtle.ConstantTimeCompare([]byte(c.challenge), []byte(challenge)) == 1 {
			rec.ceremonies = append(rec.ceremonies[:i:i], rec.ceremonies[i+1:]...)
			return c.state, s.now().Before(c.until)
		}
	}
	return nil, false
}

// noPasskeys is the answer of a server that has none.
func noPasskeys() error { return faultf(ErrRefused, "this server has no passkeys") }

// owner is an account as a passkey knows it.
func (s *Service) passkeyOwner(acc *Account) PasskeyOwner {
	o := PasskeyOwner{Handle: []byte(acc.ID), Name: string(acc.Login) + "@" + acc.Domain, Display: acc.Profile.Name}
	if o.Display == "" {
		o.Display = s.display(acc.Login, acc.Domain)
	}
	return o
}

// passkeysOf are the credential IDs of an account.
func (s *Service) passkeysOf(ctx context.Context, id UserID) ([]string, error) {
	rows, err := s.store.Factors(ctx, id)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	var list []string
	for _, r := range rows {
		if r.Kind == FactorPasskey && !r.Cloned {
			list = append(list, r.Credential)
		}
	}
	return list, nil
}

// OfferPasskey begins to make a passkey for the account of the session, logged in or waiting for a
// factor that it has to set up; the options are for navigator.credentials.create.
func (s *Service) OfferPasskey(ctx context.Context, b *Browser, site Site) (options []byte, err error) {
	if s.passkeys == nil {
		return nil, noPasskeys()
	}
	acc, _, err := s.enroller(ctx, b)
	if err != nil {
		return nil, err
	}
	have, err := s.passkeysOf(ctx, acc.ID)
	if err != nil {
		return nil, err
	}
	if len(have) >= maxFactors {
		return nil, faultf(ErrRefused, "an account has at most %d passkeys; remove one first", maxFactors)
	}
	c, err := s.passkeys.Offer(site, s.passkeyOwner(acc), have)
	if err != nil {
		return nil, err
	}
	s.keepCeremony(b.record, c, true)
	return c.Options, nil
}

// AddPasskey keeps the passkey that was made for OfferPasskey. set is the new cookie of a waiting
// log-in, which has its second factor now.
func (s *Service) AddPasskey(ctx context.Context, b *Browser, site Site, label string, answer []byte) (codes []Secret, set *Cookie, err error) {
	if s.passkeys == nil {
		return nil, nil, noPasskeys()
	}
	if label, err = checkFactorLabel(label, "Passkey"); err != nil {
		return nil, nil, err
	}
	read, err := s.passkeys.Read(answer)
	if err != nil {
		return nil, nil, err
	}
	state, ok := s.takeCeremony(b.record, read.Challenge, true)
	if !ok {
		return nil, nil, faultf(ErrInvalid, "the passkey took longer than %d minutes, or was made in another window; try again", int(ceremonyLife.Minutes()))
	}
	acc, _, err := s.enroller(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.passkeys.Made(site, s.passkeyOwner(acc), state, answer)
	if err != nil {
		return nil, nil, err
	}
	return s.addFactor(ctx, b, FactorPasskey, func(acc *Account) (FactorRow, error) {
		row := s.newFactor(acc.ID, FactorPasskey, label)
		row.Credential, row.Counter = p.Credential, int64(p.Counter)
		var err error
		row.Sealed, err = s.closeFactor(row, p.Record)
		return row, err
	})
}

// AskPasskey begins the use of a passkey: of the account that is logged in, or whose log-in waits;
// else of any, as the authenticator finds them by itself. The options are for
// navigator.credentials.get.
func (s *Service) AskPasskey(ctx context.Context, b *Browser, site Site) (options []byte, err error) {
	if s.passkeys == nil {
		return nil, noPasskeys()
	}
	var id UserID
	if a, ok := b.attached(); ok && !a.creds.Anonymous() {
		id = a.creds.UserID
	} else if h := s.halfOf(b.record); h != nil {
		id = h.claim.acc.ID
	}
	var allow []string
	if id != "" {
		if allow, err = s.passkeysOf(ctx, id); err != nil {
			return nil, err
		}
		if len(allow) == 0 {
			return nil, faultf(ErrRefused, "the account has no passkey")
		}
	}
	c, err := s.passkeys.Ask(site, allow)
	if err != nil {
		return nil, err
	}
	s.keepCeremony(b.record, c, false)
	return c.Options, nil
}

// usePasskey checks the answer to AskPasskey and notes the use, durably. A passkey whose counter went
// back is refused from then on: somebody has a copy of it.
func (s *Service) usePasskey(ctx context.Context, b *Browser, site Site, answer []byte) (FactorRow, error) {
	if s.passkeys == nil {
		return FactorRow{}, noPasskeys()
	}
	read, err := s.passkeys.Read(answer)
	if err != nil {
		return FactorRow{}, ErrCredentials
	}
	state, ok := s.takeCeremony(b.record, read.Challenge, false)
	if !ok {
		return FactorRow{}, ErrCredentials
	}
	row, err := s.store.FactorByCredential(ctx, read.Credential)
	if errors.Is(err, ErrNotFound) {
		return FactorRow{}, ErrCredentials
	}
	if err != nil {
		return FactorRow{}, unavailable(ctx, err)
	}
	acc, err := s.byID(ctx, row.User)
	if err != nil {
		return FactorRow{}, err
	}
	if acc == nil || len(read.Handle) > 0 && string(read.Handle) != string(acc.ID) {
		return FactorRow{}, ErrCredentials
	}
	record, err := s.openFactor(row)
	if err != nil {
		return FactorRow{}, s.unreadable(acc.ID, err)
	}
	p, err := s.passkeys.Used(site, s.passkeyOwner(acc), Passkey{Credential: row.Credential, Record: record, Counter: uint32(row.Counter)}, state, answer) //nolint:gosec // it was one
	if err != nil {
		return FactorRow{}, err
	}
	return row, s.notePasskey(ctx, b.Session, acc, row, p)
}

// notePasskey writes that a passkey was used, or that there is a copy of it.
func (s *Service) notePasskey(ctx context.Context, ses *Session, acc *Account, row FactorRow, p Passkey) error {
	next, was := row.used(ses, s.now()), row.Cloned
	next.Counter = int64(p.Counter)
	var err error
	if next.Sealed, err = s.closeFactor(row, p.Record); err != nil {
		return err
	}
	if p.Cloned || was {
		next = row
		next.Cloned = true
	}
	err = s.store.Write(ctx, func(w StoreWriter) error { return w.ChangeFactor(ctx, row, next) })
	switch {
	case errors.Is(err, ErrNotFound): // another answer with it was faster, with the same counter or one above
		if p.Counter == 0 {
			return nil
		}
		return ErrCredentials
	case err != nil:
		return unavailable(ctx, err)
	case !next.Cloned:
		return nil
	}
	if !was {
		name := s.display(acc.Login, acc.Domain)
		s.trail(ses, name, AuditEvent{Event: EventFactorClone, Subject: name, Method: MethodPasskey, Result: "refused", Detail: "passkey " + row.Label})
		n := s.about(NoticeClone, acc)
		n.Protocol, n.Remote, n.Session, n.Client, n.What = ses.protocol, remoteText(ses), ses.id, ClientName(plain(ses.Details().UserAgent)), row.Label
		s.notify(ctx, n)
	}
	return faultf(ErrRefused, "there is a copy of this passkey, so it is not accepted any more; log in another way, remove it on the page Security and make a new one")
}

// UpgradePasskey logs a browser session in by a passkey alone, which is both factors: something that
// the person has, and unlocks. The options came from AskPasskey in the same session. An unknown
// passkey and a wrong answer are ErrCredentials.
func (s *Service) UpgradePasskey(ctx context.Context, b *Browser, site Site, answer []byte, stay bool) (Cookie, error) {
	rec := b.record
	rec.change.Lock()
	defer rec.change.Unlock()
	c := &claim{ses: rec.session, login: Login{Method: MethodPasskey}, factor: FactorPasskey}
	return s.upgradeBy(ctx, rec, c, stay, func(ctx context.Context, c *claim) (*attachment, error) {
		if err := s.admissible(c.ses); err != nil {
			return nil, err
		}
		try, err := s.throttle.enter(ctx, BlockOf(c.ses.Remote().Addr()), "")
		if err != nil {
			return nil, err
		}
		row, err := s.usePasskey(ctx, b, site, answer)
		switch {
		case errors.Is(err, ErrCredentials):
			try.fail(false)
			return nil, ErrCredentials
		case err != nil:
			try.drop()
			return nil, err
		}
		try.drop() // nothing was guessed
		if c.acc, err = s.byID(ctx, row.User); err != nil {
			return nil, err
		}
		if c.acc == nil {
			return nil, ErrCredentials
		}
		c.name = s.display(c.acc.Login, c.acc.Domain)
		c.login.Name = c.name
		return s.admit(ctx, c)
	})
}
