package identity

import (
	"context"
	"errors"
	"slices"
	"time"
)

// proveSource asks the directory that keeps the password of a log-in's account, or, for a name that
// nobody has here, those that make accounts. asked is false where there is none to ask.
func (s *Service) proveSource(ctx context.Context, c *claim, try *attempted) (asked bool, err error) {
	if len(s.sources.list) == 0 {
		return false, nil
	}
	if c.acc != nil {
		if c.acc.Source == "" {
			return false, nil
		}
		d := s.sources.of(c.acc)
		if d == nil { // it is in the config no more: then nobody knows the password
			return false, nil
		}
		return true, s.askAccount(ctx, c, try, d)
	}
	name, domain, err := s.parse(c.login)
	if err != nil || name.Reserved() || !slices.Contains(s.domains, domain) {
		return false, nil
	}
	return s.askNew(ctx, c, try, name, domain)
}

// askAccount has the directory of an account check the password.
func (s *Service) askAccount(ctx context.Context, c *claim, try *attempted, d *directory) error {
	text, ok := preparePassword(c.login.Secret.Reveal())
	key := s.passwords.cache.key(c.acc.ID, c.acc.CredentialVersion, text)
	if ok && s.passwords.cache.has(key) {
		return nil
	}
	leave, err := try.place(ctx)
	if err != nil {
		return err
	}
	defer leave()
	person, err := s.checkWith(ctx, d, try, c.acc.Login, c.login.Secret)
	if err != nil {
		return err
	}
	if person.Subject != c.acc.Subject {
		s.log.Warn("a login means another person in the directory than here", "event", "source.subject", "source", d.Name,
			"user", s.display(c.acc.Login, c.acc.Domain))
		return ErrCredentials
	}
	if err := s.takeOver(ctx, c, d, c.acc, person); err != nil {
		return err
	}
	if ok && d.Cache > 0 && c.acc.State == UserActive {
		s.passwords.cache.keep(s.passwords.cache.key(c.acc.ID, c.acc.CredentialVersion, text), d.Cache)
	}
	return nil
}

// askNew asks the directories that make accounts about a name that nobody has here.
func (s *Service) askNew(ctx context.Context, c *claim, try *attempted, name UserName, domain string) (asked bool, err error) {
	var leave func()
	for _, d := range s.sources.in(domain) {
		if !d.Intake.Create {
			if d.gone() {
				// Whoever is in it gets this answer now, so a name that nobody has does as well.
				asked, err = true, d.errGone()
			}
			continue
		}
		if leave == nil {
			if leave, err = try.place(ctx); err != nil {
				return true, err
			}
			defer leave()
			err = ErrCredentials
		}
		asked = true
		person, no := s.checkWith(ctx, d, try, name, c.login.Secret)
		switch {
		case no == nil:
			return true, s.admitNew(ctx, c, d, person)
		case !errors.Is(no, ErrCredentials):
			err = no
		}
	}
	return asked, err
}

// checkWith puts the question of a log-in to a directory. A password without text is not asked
// about: many directories take it for a log-in of nobody in particular (RFC 4513 section 5.1.2).
func (s *Service) checkWith(ctx context.Context, d *directory, try *attempted, login UserName, password Secret) (p Person, err error) {
	if password.Reveal() == "" || len(password.Reveal()) > maxPasswordBytes {
		return Person{}, ErrCredentials
	}
	err = d.ask(ctx, try.prefix, func(ctx context.Context) (err error) {
		p, err = d.Source.Check(ctx, login, password)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		err = ErrCredentials
	}
	return p, err
}

// admitNew finds or makes the account of somebody who has shown their password to a directory.
func (s *Service) admitNew(ctx context.Context, c *claim, d *directory, p Person) error {
	if p.Subject == "" {
		s.log.Warn("a directory has nothing that says for ever who somebody is", "event", "source.subject", "source", d.Name, "login", p.Login)
		return ErrCredentials
	}
	acc, err := s.store.AccountBySubject(ctx, d.Name, p.Subject)
	switch {
	case err == nil && acc.State == UserDeleted:
		return ErrCredentials // it was removed here
	case err == nil: // under another login, as somebody was renamed there or goes by two names
		c.acc = &acc
		return s.takeOver(ctx, c, d, &acc, p)
	case !errors.Is(err, ErrNotFound):
		return unavailable(ctx, err)
	case p.Disabled:
		return ErrCredentials
	}
	acc, err = s.create(ctx, d.by(c.ses), d.Name, p.Subject, d.Intake, p)
	if errors.Is(err, ErrExists) || errors.Is(err, ErrInvalid) {
		s.log.Warn("no account was made for somebody of a directory", "event", "source.create", "source", d.Name, "err", err)
		return ErrCredentials
	}
	if err != nil {
		return unavailable(ctx, err)
	}
	c.acc = &acc
	return nil
}

// takeOver brings an account in line with what its directory says, and reads it again.
func (s *Service) takeOver(ctx context.Context, c *claim, d *directory, acc *Account, p Person) error {
	fresh, _, err := s.follow(ctx, d.by(c.ses), d.Intake, *acc, p)
	switch {
	case errors.Is(err, ErrRefused), errors.Is(err, ErrInvalid), errors.Is(err, ErrExists):
		s.log.Warn("an account does not follow its directory", "event", "source.follow", "source", d.Name,
			"user", s.display(acc.Login, acc.Domain), "err", err)
		return nil
	case err != nil:
		return unavailable(ctx, err)
	}
	c.acc = &fresh
	return nil
}

// by is who makes the changes of a directory; ses may be nil.
func (d *directory) by(ses *Session) Actor {
	by := Actor{Level: LevelRoot, Via: "source:" + d.Name}
	if ses != nil {
		by.Remote = addrText(ses.Remote())
	}
	return by
}

// padRefusal makes the refusal of a password that no directory was asked about as long as theirs.
func (s *Service) padRefusal(ctx context.Context, c *claim, began time.Time) {
	if len(s.sources.list) == 0 {
		return
	}
	domain := s.opts.Domain
	if _, d, err := s.parse(c.login); err == nil {
		domain = d
	}
	s.sources.pad(ctx, domain, s.now().Sub(began))
}
