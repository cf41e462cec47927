package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of codes that are guessed. Whoever guesses has the password already; the person can still
// come in by a recovery code or a passkey meanwhile.
const (
	freeMisses = 10 // wrong codes in a row until the next one has to wait
	firstPause = time.Minute
	maxPause   = 24 * time.Hour
)

// Recovery codes have ten characters of 5 bits each, in fives.
const (
	recoveryCodes  = 10
	recoveryLength = 10
	recoveryStep   = 5
)

// enrolTime is how long a key that was shown may wait for its first code.
const enrolTime = 20 * time.Minute

// enrolment is an authenticator app that is being set up.
type enrolment struct {
	key   TOTPKey
	until time.Time
}

// codeLength is the length of a code of an authenticator app, in digits.
const codeLength = 6

// readCode is a code without what people put between, and whether an authenticator app made it.
func readCode(code Secret) (text string, app bool) {
	text = strings.NewReplacer("-", "", " ", "", "\u00a0", "", "\t", "").Replace(code.Reveal())
	if len(text) != codeLength {
		return readSetupCode(text), false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return readSetupCode(text), false
		}
	}
	return text, true
}

// useCode spends a code of the app, or a recovery code. That it is spent is durable when it returns.
func (s *Service) useCode(ctx context.Context, ses *Session, id UserID, code Secret) (FactorKind, error) {
	text, app := readCode(code)
	if app {
		return FactorTOTP, s.useTOTP(ctx, ses, id, text)
	}
	return FactorRecovery, s.useRecovery(ctx, ses, id, text)
}

// changeFactor lets fn look at the account's factor of a kind, in a transaction, and writes what it
// makes of it, unless that is the same. The error of fn comes back after what it made is durable.
func (s *Service) changeFactor(ctx context.Context, id UserID, kind FactorKind, fn func(FactorRow) (FactorRow, error)) error {
	var answer error
	for range setTries {
		err := s.store.Write(ctx, func(w StoreWriter) error {
			answer = ErrCredentials
			rows, err := w.Factors(ctx, id)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if row.Kind != kind {
					continue
				}
				next, err := fn(row)
				if answer = err; next.Counter == row.Counter && next.Failures == row.Failures {
					return nil
				}
				return w.ChangeFactor(ctx, row, next)
			}
			return nil
		})
		switch {
		case errors.Is(err, ErrNotFound):
			continue // another one was faster
		case err != nil:
			return unavailable(ctx, err)
		}
		return answer
	}
	return ErrBusy
}

// useTOTP accepts a code once (RFC 6238 section 5.2): no step that is not later than the last one.
func (s *Service) useTOTP(ctx context.Context, ses *Session, id UserID, code string) error {
	if s.totp == nil {
		return ErrCredentials
	}
	return s.changeFactor(ctx, id, FactorTOTP, func(row FactorRow) (FactorRow, error) {
		now := s.now()
		if left := codePause(row).Sub(now); left > 0 {
			return row, &waitError{ErrThrottled, left}
		}
		secret, err := s.openFactor(row)
		if err != nil {
			return row, s.unreadable(id, err)
		}
		step, ok := s.totp.Step(NewSecret(string(secret)), code, now)
		if !ok || step <= row.Counter {
			row.Failures++
			row.FailedAt = now.UTC().Truncate(timeUnit)
			return row, ErrCredentials
		}
		row = row.used(ses, now)
		row.Counter = step
		return row, nil
	})
}

// codePause is until when no further code is looked at.
func codePause(row FactorRow) time.Time {
	over := row.Failures - freeMisses
	if over < 0 {
		return time.Time{}
	}
	const doublings = 11 // more than maxPause
	return row.FailedAt.Add(min(firstPause<<min(over, doublings), maxPause))
}

// recoverySet is the inside of a row of recovery codes: keyed hashes of those that are left.
type recoverySet struct {
	Hashes [][]byte `json:"hashes"`
}

func (s *Service) recoveryHash(id UserID, code string) []byte {
	return keyed(s.DeriveKey("identity recovery codes"), string(id), code)
}

// useRecovery strikes a code off.
func (s *Service) useRecovery(ctx context.Context, ses *Session, id UserID, code string) error {
	return s.changeFactor(ctx, id, FactorRecovery, func(row FactorRow) (FactorRow, error) {
		var set recoverySet
		plain, err := s.openFactor(row)
		if err == nil {
			err = json.Unmarshal(plain, &set)
		}
		if err != nil {
			return row, s.unreadable(id, err)
		}
		hash, at := s.recoveryHash(id, code), -1
		for i, h := range set.Hashes {
			if subtle.ConstantTimeCompare(h, hash) == 1 {
				at = i
			}
		}
		if at < 0 {
			return row, ErrCredentials
		}
		set.Hashes = append(set.Hashes[:at:at], set.Hashes[at+1:]...)
		next := row.used(ses, s.now())
		next.Counter = int64(len(set.Hashes))
		next.Sealed, err = s.closeFactor(row, set)
		return next, err
	})
}

// newRecovery makes the row of ten new codes, and the codes.
func (s *Service) newRecovery(id UserID) (FactorRow, []Secret, error) {
	row := s.newFactor(id, FactorRecovery, "Recovery codes")
	row.Counter = recoveryCodes
	var set recoverySet
	codes := make([]Secret, recoveryCodes)
	for i := range codes {
		code := randomCode(recoveryLength, recoveryStep)
		codes[i] = NewSecret(code)
		set.Hashes = append(set.Hashes, s.recoveryHash(id, readSetupCode(code)))
	}
	var err error
	row.Sealed, err = s.closeFactor(row, set)
	return row, codes, err
}

func (s *Service) newFactor(id UserID, kind FactorKind, label string) FactorRow {
	return FactorRow{ID: strings.ToLower(rand.Text()), User: id, Kind: kind, Label: label, CreatedAt: s.now().UTC().Truncate(timeUnit)}
}

// factorSeal binds a factor's secret to its row and account.
func factorSeal(row FactorRow) UserID { return UserID("factor " + row.ID + " " + string(row.User)) }

func (s *Service) openFactor(row FactorRow) ([]byte, error) {
	return s.seal.open(factorSeal(row), Record{Sealed: row.Sealed})
}

// closeFactor seals bytes as they are, and anything else as JSON.
func (s *Service) closeFactor(row FactorRow, v any) ([]byte, error) {
	plain, ok := v.([]byte)
	if !ok {
		var err error
		if plain, err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("writing a factor: %w", err)
		}
	}
	return s.seal.seal(factorSeal(row), plain).Sealed, nil
}

// OfferTOTP returns the key for an authenticator app that the account of the session is to get; the
// same one until it has been set up or a while is over. ErrExists where the account has one.
func (s *Service) OfferTOTP(ctx context.Context, b *Browser) (TOTPKey, error) {
	acc, _, err := s.enroller(ctx, b)
	if err != nil {
		return TOTPKey{}, err
	}
	switch {
	case s.totp == nil:
		return TOTPKey{}, faultf(ErrRefused, "this server has no authenticator apps")
	case acc.Factors.Has(FactorTOTP):
		return TOTPKey{}, faultf(ErrExists, "an authenticator app is set up already; remove it first")
	}
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	if e := b.record.enrol; e != nil && s.now().Before(e.until) {
		return e.key, nil
	}
	key, err := s.totp.NewKey(s.opts.SiteName, string(acc.Login)+"@"+acc.Domain)
	if err != nil {
		return TOTPKey{}, err
	}
	b.record.enrol = &enrolment{key: key, until: s.now().Add(enrolTime)}
	return key, nil
}

// AddTOTP sets the app of OfferTOTP up, which its first code shows to work, and returns recovery
// codes where the account had none. Sessions that a password alone has opened end, on all roads; the
// session itself goes on, and a waiting log-in has its second factor: set is its new cookie. A wrong
// code is ErrCredentials.
func (s *Service) AddTOTP(ctx context.Context, b *Browser, code Secret) (codes []Secret, set *Cookie, err error) {
	s.browsers.mu.Lock()
	e := b.record.enrol
	s.browsers.mu.Unlock()
	if e == nil || !s.now().Before(e.until) {
		return nil, nil, faultf(ErrInvalid, "the code that was shown is too old; scan the new one")
	}
	text, app := readCode(code)
	step, ok := int64(0), false
	if app {
		step, ok = s.totp.Step(e.key.Secret, text, s.now())
	}
	if !ok {
		return nil, nil, ErrCredentials
	}
	return s.addFactor(ctx, b, FactorTOTP, func(acc *Account) (FactorRow, error) {
		if acc.Factors.Has(FactorTOTP) {
			return FactorRow{}, faultf(ErrExists, "an authenticator app is set up already; remove it first")
		}
		row := s.newFactor(acc.ID, FactorTOTP, "Authenticator app")
		row.Counter = step
		var err error
		row.Sealed, err = s.closeFactor(row, []byte(e.key.Secret.Reveal()))
		return row, err
	})
}
