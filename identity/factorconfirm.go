package identity

import (
	"context"
	"time"
)

// confirmLife is how long a person who has shown to be it may do what is dangerous.
const confirmLife = 10 * time.Minute

// Confirmed reports whether the person at a logged-in browser session has shown to be it in the last
// ten minutes, by logging in or since. Log-out ends it.
func (s *Service) Confirmed(b *Browser) bool {
	if a, ok := b.attached(); !ok || a.creds.Anonymous() {
		return false
	}
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	at := b.record.confirmed
	return !at.IsZero() && s.now().Sub(at) < confirmLife
}

// confirm notes that the person has just shown to be it, by which second factor; "": by none.
func (s *Service) confirm(rec *browserRecord, by FactorKind) {
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	rec.confirmed = s.now()
	if by != "" {
		rec.confirmedBy = by
	}
}

// Ways are how somebody who is logged in can show again to be it.
type Ways struct{ Password, Code, Passkey bool }

// ConfirmWays lists the ways that the account of a session has.
func (s *Service) ConfirmWays(ctx context.Context, b *Browser) (Ways, error) {
	a, ok := b.attached()
	if !ok || a.creds.Anonymous() {
		return Ways{}, ErrEnded
	}
	acc, err := s.byID(ctx, a.creds.UserID)
	if err != nil {
		return Ways{}, err
	}
	if acc == nil {
		return Ways{}, ErrEnded
	}
	return Ways{Password: s.hasPassword(acc), Code: acc.Factors.Has(FactorTOTP, FactorRecovery),
		Passkey: s.passkeys != nil && acc.Factors.Has(FactorPasskey)}, nil
}

// hasPassword reports whether the account has a password, and not only the salt of one.
func (s *Service) hasPassword(acc *Account) bool {
	if len(acc.Password.Sealed) == 0 {
		return false
	}
	r, err := s.passwords.open(acc.ID, acc.Password)
	return err == nil && r.Kind != recordSalt
}

// ConfirmPassword, ConfirmCode and ConfirmPasskey let the person at a session show again to be it.
// What is wrong is ErrCredentials, and counts as a wrong log-in does.
func (s *Service) ConfirmPassword(ctx context.Context, b *Browser, password Secret) error {
	err := s.CheckPassword(ctx, b.Session, password)
	if err == nil {
		s.confirm(b.record, "")
	}
	return err
}

// ConfirmCode: see ConfirmPassword. A recovery code is as good, and spent.
func (s *Service) ConfirmCode(ctx context.Context, b *Browser, code Secret) error {
	return s.confirmBy(ctx, b, func(acc *Account) (FactorKind, error) { return s.useCode(ctx, b.Session, acc.ID, code) })
}

// ConfirmPasskey: see ConfirmPassword. The options came from AskPasskey.
func (s *Service) ConfirmPasskey(ctx context.Context, b *Browser, site Site, answer []byte) error {
	return s.confirmBy(ctx, b, func(acc *Account) (FactorKind, error) {
		row, err := s.usePasskey(ctx, b, site, answer)
		if err == nil && row.User != acc.ID {
			err = ErrCredentials
		}
		return FactorPasskey, err
	})
}

func (s *Service) confirmBy(ctx context.Context, b *Browser, prove func(*Account) (FactorKind, error)) error {
	a, ok := b.attached()
	if !ok || a.creds.Anonymous() {
		return ErrEnded
	}
	acc, err := s.byID(ctx, a.creds.UserID)
	if err != nil {
		return err
	}
	if acc == nil {
		return ErrEnded
	}
	kind, err := s.proveFactor(ctx, b.Session, acc, func() (FactorKind, error) { return prove(acc) })
	if err != nil {
		return err
	}
	s.confirm(b.record, kind)
	return nil
}
