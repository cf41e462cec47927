package identity

import (
	"bytes"
	"context"
	"errors"
)

// errMoved says that a record changed while a password was derived for it.
var errMoved = errors.New("the password was changed by somebody else at the same time; try again")

// setTries bounds how often a password is derived anew because of errMoved.
const setTries = 3

// PasswordChange says what ChangePassword does.
type PasswordChange struct {
	Password   Secret   // zero: none is set any more
	Keep       *Session // goes on in any case
	KeepOthers bool     // so do the others of this node that logged in with the password before
	MustChange bool     // the new password is good for choosing another one alone; not of one's own account
}

// SetPassword sets or (zero secret) removes the password; other sessions of the account that
// logged in by password end, except keep.
func (s *Service) SetPassword(ctx context.Context, by Actor, name string, password Secret, keep *Session) error {
	return s.ChangePassword(ctx, by, name, PasswordChange{Password: password, Keep: keep})
}

// ChangePassword sets or removes the password. An account that was invited is active with it.
func (s *Service) ChangePassword(ctx context.Context, by Actor, name string, c PasswordChange) error {
	var changed Account
	err := s.untilSet(func() (err error) {
		changed, err = s.changePasswordOnce(ctx, by, name, c)
		return err
	})
	if err == nil {
		n := s.about(NoticePassword, &changed)
		if !s.isSelf(by, changed.User) {
			n.By = by.User
		}
		n.Remote = by.Remote
		s.notify(ctx, n)
	}
	return err
}

// untilSet calls set until the record has not changed meanwhile.
func (s *Service) untilSet(set func() error) error {
	err := errMoved
	for try := 0; try < setTries && errors.Is(err, errMoved); try++ {
		err = set()
	}
	if errors.Is(err, errMoved) {
		return faultf(ErrBusy, "%s", errMoved.Error())
	}
	return err
}

func (s *Service) changePasswordOnce(ctx context.Context, by Actor, name string, c PasswordChange) (Account, error) {
	a, err := s.find(ctx, s.store, name)
	if err != nil {
		return a, err
	}
	if err := s.mayChange(by, a.User, true); err != nil {
		return a, err
	}
	if d := s.sources.of(&a); d != nil && !c.Password.IsZero() {
		return a, faultf(ErrRefused, "the password of %q is kept by the directory %q; change it there", s.display(a.Login, a.Domain), d.Name)
	}
	self := s.isSelf(by, a.User)
	record, err := s.newRecord(ctx, &a, c.Password, self && a.MustChange)
	if err != nil {
		return a, err
	}
	undo := func() {}
	err = s.edit(ctx, by, func(e *edit) error {
		now, err := s.unmoved(ctx, e, &a, name)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, now.User, true); err != nil {
			return err
		}
		u, err := s.putPassword(ctx, e, now.User, record, c, self)
		if err != nil {
			return err
		}
		e.note("password.set", s.display(u.Login, u.Domain), nil, fields{"password": !c.Password.IsZero(), "must_change": u.MustChange,
			"sessions_kept": c.KeepOthers})
		undo = s.adoptAll(u, c)
		return nil
	})
	if err != nil {
		undo()
	}
	return a, err
}

// newRecord checks a new password of an account and derives its record. differ: it must not be the
// old one.
func (s *Service) newRecord(ctx context.Context, a *Account, password Secret, differ bool) (Record, error) {
	if !password.IsZero() {
		if err := s.checkNewPassword(a.User, password); err != nil {
			return Record{}, err
		}
		if differ {
			same, err := s.passwords.verify(ctx, sender{}, "", a, password, true)
			if err != nil {
				return Record{}, err
			}
			if same {
				return Record{}, faultf(ErrInvalid, "the new password is the one that has to be changed; choose another one")
			}
		}
	}
	return s.sealPassword(ctx, a.ID, a.Password, password)
}

// unmoved reads an account again in the transaction that sets its password: its level may have
// changed, and the salt in the record, which the new one must share with the keys of tokens.
func (s *Service) unmoved(ctx context.Context, e *edit, a *Account, name string) (Account, error) {
	now, err := e.AccountByID(ctx, a.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return now, faultf(ErrNotFound, "no user %q", name)
	case err != nil:
		return now, err
	case !bytes.Equal(now.Password.Sealed, a.Password.Sealed):
		return now, errMoved
	}
	return now, nil
}

// putPassword writes a new record and what goes with it.
func (s *Service) putPassword(ctx context.Context, e *edit, u User, record Record, c PasswordChange, self bool) (User, error) {
	u.CredentialVersion++
	u.MustChange = c.MustChange && !self && !c.Password.IsZero()
	if u.State == UserInvited && !c.Password.IsZero() {
		u.State = UserActive
	}
	if _, err := e.PutUser(ctx, u); err != nil {
		return u, err
	}
	e.concern(u.ID)
	return u, e.PutPassword(ctx, u.ID, record)
}

// adoptAll lets the sessions that are to go on live through the change.
func (s *Service) adoptAll(u User, c PasswordChange) (undo func()) {
	keep := []*Session{c.Keep}
	if c.KeepOthers {
		keep = append(keep, s.Registry.ofOwner(u.ID)...)
	}
	var undos []func()
	for _, ses := range keep {
		undos = append(undos, s.adopt(ses, u.ID, u.CredentialVersion))
	}
	return func() {
		for _, fn := range undos {
			fn()
		}
	}
}

// RequireChange says that an account's password has to be changed before anything else is done with
// it, or takes that back. Sessions where no password can be changed end.
func (s *Service) RequireChange(ctx context.Context, by Actor, name string, must bool) error {
	return s.edit(ctx, by, func(e *edit) error {
		a, err := s.find(ctx, e, name)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, a.User, false); err != nil {
			return err
		}
		u := a.User
		if u.MustChange == must {
			return nil
		}
		u.MustChange = must
		if _, err := e.PutUser(ctx, u); err != nil {
			return err
		}
		e.note("password.must_change", s.display(u.Login, u.Domain), fields{"must_change": a.MustChange}, fields{"must_change": must})
		e.concern(u.ID)
		return nil
	})
}
