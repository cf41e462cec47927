package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
)

// MissingSCRAM says that the account of a session lacks SCRAM keys of a hash which the policy keeps,
// because its password is older than that, and returns what a client derives them with (XEP-0480).
// ErrNotFound where nothing is missing, and for a session that did not show the account's own
// password.
func (s *Service) MissingSCRAM(ctx context.Context, ses *Session, h SCRAMHash) (salt []byte, iterations int, err error) {
	a, ok := s.provedPassword(ses)
	if !ok {
		return nil, 0, ErrNotFound
	}
	acc, err := s.byID(ctx, a.creds.UserID)
	if err != nil {
		return nil, 0, err
	}
	r, err := s.lacking(acc, a, h)
	return r.Salt, r.Iterations, err
}

// AddSCRAM makes the missing keys of a SaltedPassword (RFC 5802 section 3), which the client has
// derived with what MissingSCRAM returned. ErrInvalid where salted cannot be one.
func (s *Service) AddSCRAM(ctx context.Context, ses *Session, h SCRAMHash, salted []byte) error {
	newHash, _, ok := h.newHash()
	a, proved := s.provedPassword(ses)
	switch {
	case !ok || len(salted) != newHash().Size():
		return fmt.Errorf("that is no salted password for %s: %w", h, ErrInvalid)
	case !proved:
		return ErrNotFound
	}
	keys := saltedKeys(newHash, salted)
	err := s.store.Write(ctx, func(w StoreWriter) error {
		acc, err := w.AccountByID(ctx, a.creds.UserID)
		if err != nil {
			return err
		}
		r, err := s.lacking(&acc, a, h)
		if err != nil {
			return err
		}
		if h == SCRAMSHA1 {
			r.SHA1 = keys
		} else {
			r.Kind, r.SHA256, r.Argon = recordSCRAM, keys, nil
		}
		sealed, err := s.passwords.close(acc.ID, r)
		if err != nil {
			return err
		}
		return w.PutPassword(ctx, acc.ID, sealed)
	})
	s.known.forget()
	return err
}

// provedPassword returns who a session is, where it has shown the password of the account and not
// something in its place.
func (s *Service) provedPassword(ses *Session) (*attachment, bool) {
	a, ok := ses.attached()
	if !ok || a.creds.Anonymous() || a.creds.Grant != nil {
		return nil, false
	}
	switch a.method {
	case MethodPlain, MethodSCRAMSHA256, MethodSCRAMSHA1:
		return a, true
	}
	return nil, false
}

// lacking returns the record of an account that could hold keys of a hash and does not; salt and
// iterations are set.
func (s *Service) lacking(acc *Account, a *attachment, h SCRAMHash) (passwordRecord, error) {
	if acc == nil || acc.CredentialVersion != a.creds.CredentialVersion || len(acc.Password.Sealed) == 0 || s.opts.Argon2id {
		return passwordRecord{}, ErrNotFound
	}
	r, err := s.passwords.open(acc.ID, acc.Password)
	switch {
	case err != nil:
		return passwordRecord{}, s.unreadable(acc.ID, err)
	case h == SCRAMSHA1 && r.Kind == recordSCRAM && r.SHA1 == nil && s.opts.SCRAMSHA1:
		return r, nil
	case h == SCRAMSHA256 && r.Kind == recordArgon:
		if r.Iterations == 0 {
			r.Salt, r.Iterations = saltFrom(r.Salt), s.opts.SCRAMIterations
		}
		return r, nil
	}
	return passwordRecord{}, ErrNotFound
}

// saltFrom is the salt for keys that take the place of another hash with the salt old: the same each
// time that it is asked for, and another one than old.
func saltFrom(old []byte) []byte {
	sum := sha256.Sum256(old)
	return sum[:saltBytes]
}
