package identity

import (
	"bytes"
	"context"
	"errors"
	"unicode/utf8"
)

// Bounds of a password that is set. The upper one keeps what one hash costs small.
const (
	minPassword = 8 // characters
	maxPassword = 1024
)

// checkNewPassword refuses a password that is too easy or cannot be one; the error wraps ErrInvalid
// and does not repeat it.
func checkNewPassword(login UserName, password Secret) error {
	text := password.Reveal()
	switch {
	case !utf8.ValidString(text):
		return faultf(ErrInvalid, "the password is not UTF-8")
	case utf8.RuneCountInString(text) < minPassword:
		return faultf(ErrInvalid, "the password is too short; use at least %d characters", minPassword)
	case len(text) > maxPassword:
		return faultf(ErrInvalid, "the password is too long; use at most %d bytes", maxPassword)
	}
	if n, err := ParseUserName(text); err == nil && n == login {
		return faultf(ErrInvalid, "the password is the login; choose another one")
	}
	return nil
}

// errMoved says that a record changed while a password was derived for it.
var errMoved = errors.New("the password was changed by somebody else at the same time; try again")

// setTries bounds how often a password is derived anew because of errMoved.
const setTries = 3

// SetPassword sets or (zero secret) removes the password; other sessions of the account that
// logged in by password end, except keep.
func (s *Service) SetPassword(ctx context.Context, by Actor, name string, password Secret, keep *Session) error {
	err := errMoved
	for try := 0; try < setTries && errors.Is(err, errMoved); try++ {
		err = s.setPasswordOnce(ctx, by, name, password, keep)
	}
	if errors.Is(err, errMoved) {
		return faultf(ErrBusy, "%s", errMoved.Error())
	}
	return err
}

func (s *Service) setPasswordOnce(ctx context.Context, by Actor, name string, password Secret, keep *Session) error {
	a, err := s.find(ctx, s.store, name)
	if err != nil {
		return err
	}
	if err := s.mayChange(by, a.User, true); err != nil {
		return err
	}
	if !password.IsZero() {
		if err := checkNewPassword(a.Login, password); err != nil {
			return err
		}
	}
	record, err := s.sealPassword(ctx, a.ID, a.Password, password)
	if err != nil {
		return err
	}
	undo := func() {}
	err = s.edit(ctx, by, func(e *edit) error {
		// Read again: the level may have changed, and the salt in the record, which the new one
		// must share with the keys of tokens.
		now, err := e.AccountByID(ctx, a.ID)
		if errors.Is(err, ErrNotFound) {
			return faultf(ErrNotFound, "no user %q", name)
		}
		if err != nil {
			return err
		}
		if err := s.mayChange(by, now.User, true); err != nil {
			return err
		}
		if !bytes.Equal(now.Password.Sealed, a.Password.Sealed) {
			return errMoved
		}
		u := now.User
		u.CredentialVersion++
		if _, err := e.PutUser(ctx, u); err != nil {
			return err
		}
		if err := e.PutPassword(ctx, u.ID, record); err != nil {
			return err
		}
		e.note("password.set", s.display(u.Login, u.Domain), nil, fields{"password": !password.IsZero()})
		e.concern(u.ID)
		if keep != nil {
			undo = s.adopt(keep, u.ID, u.CredentialVersion)
		}
		return nil
	})
	if err != nil {
		undo()
	}
	return err
}
