package identity

import (
	"context"
	"errors"
)

// AttachUser lets a directory keep the password of an account from now on: that of who has the same
// login there. The password that was kept here is gone, and who has logged in by it has to log in
// again.
func (s *Service) AttachUser(ctx context.Context, by Actor, name, source string) (Account, error) {
	d, err := s.directory(source)
	if err != nil {
		return Account{}, err
	}
	a, err := s.find(ctx, s.store, name)
	if err != nil {
		return Account{}, err
	}
	if err := s.mayChange(by, a.User, false); err != nil {
		return Account{}, err
	}
	if a.Domain != d.Intake.Domain {
		return Account{}, faultf(ErrInvalid, "the directory %q is for accounts of the domain %s", source, d.Intake.Domain)
	}
	p, err := s.TestDirectory(ctx, Actor{Level: LevelRoot}, source, string(a.Login))
	if err != nil {
		return Account{}, err
	}
	if p.Subject == "" {
		return Account{}, faultf(ErrRefused, "the directory %q has nothing that says for ever who %q is; see id_attribute", source, a.Login)
	}
	return s.moveTo(ctx, by, name, source, p.Subject)
}

// DetachUser takes an account out of its directory: it stays as it is, and needs a password of its
// own to log in.
func (s *Service) DetachUser(ctx context.Context, by Actor, name string) (Account, error) {
	return s.moveTo(ctx, by, name, "", "")
}

// moveTo gives an account another source.
func (s *Service) moveTo(ctx context.Context, by Actor, name, source, subject string) (Account, error) {
	var out Account
	err := s.edit(ctx, by, func(e *edit) error {
		a, err := s.find(ctx, e, name)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, a.User, false); err != nil {
			return err
		}
		if source == "" && a.Source == "" {
			return faultf(ErrInvalid, "%q is from no directory", s.display(a.Login, a.Domain))
		}
		u := a.User
		u.Source, u.Subject, u.SourceOff = source, subject, false
		u.CredentialVersion++
		if _, err := e.PutUser(ctx, u); errors.Is(err, ErrExists) {
			return faultf(ErrExists, "another account is that person of the directory %q already", source)
		} else if err != nil {
			return err
		}
		record, err := s.passwords.withoutPassword(u.ID, a.Password)
		if err != nil {
			return err
		}
		if err := e.PutPassword(ctx, u.ID, record); err != nil {
			return err
		}
		e.note("source.set", s.display(u.Login, u.Domain), fields{"source": a.Source}, fields{"source": source})
		e.concern(u.ID)
		out, err = e.AccountByID(ctx, u.ID)
		return err
	})
	return out, err
}

// withoutPassword is a record with the password taken out; the salt stays, on which tokens hang.
func (p *passwords) withoutPassword(id UserID, old Record) (Record, error) {
	if len(old.Sealed) == 0 {
		return Record{}, nil
	}
	was, err := p.open(id, old)
	if err != nil {
		return Record{}, err
	}
	return p.close(id, passwordRecord{Kind: recordSalt, Salt: was.Salt, Iterations: was.Iterations})
}
