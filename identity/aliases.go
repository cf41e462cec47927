package identity

import (
	"context"
	"errors"
)

// AddAlias gives an account a further login name. It may not be the name of a login, another
// alias or a group of the domain.
func (s *Service) AddAlias(ctx context.Context, by Actor, alias, user string) (Alias, error) {
	var out Alias
	err := s.edit(ctx, by, func(e *edit) error {
		a, err := s.find(ctx, e, user)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, a.User, false); err != nil {
			return err
		}
		name, domain, err := ParseAddress(alias, a.Domain)
		if err != nil {
			return err
		}
		if domain != a.Domain {
			return faultf(ErrInvalid, "an alias is of the same domain as its user: %s", a.Domain)
		}
		if err := oneScript(name); err != nil {
			return err
		}
		if err := s.free(ctx, e, domain, name); err != nil {
			return err
		}
		out = Alias{Domain: domain, Name: name, Target: a.ID, Login: a.Login}
		if err := e.PutAlias(ctx, out); err != nil {
			return err
		}
		e.note("alias.add", s.display(a.Login, a.Domain), nil, fields{"alias": s.display(name, domain)})
		return nil
	})
	if err != nil {
		return Alias{}, err
	}
	return out, nil
}

// Aliases lists aliases by name, those of removed accounts too: they stay reserved until removed.
func (s *Service) Aliases(ctx context.Context) ([]Alias, error) { return s.store.Aliases(ctx, "") }

// RemoveAlias removes an alias.
func (s *Service) RemoveAlias(ctx context.Context, by Actor, alias string) error {
	name, domain, err := ParseAddress(alias, s.opts.Domain)
	if err != nil {
		return err
	}
	return s.edit(ctx, by, func(e *edit) error {
		found, err := findAlias(ctx, e, domain, name)
		if errors.Is(err, ErrNotFound) {
			return faultf(ErrNotFound, "no alias %q", alias)
		}
		if err != nil {
			return err
		}
		a, err := e.AccountByID(ctx, found.Target)
		if errors.Is(err, ErrNotFound) {
			a, err = Account{User: User{Login: found.Login, Domain: domain}}, nil // a removed account
		}
		if err != nil {
			return err
		}
		if err := s.mayChange(by, a.User, false); err != nil {
			return err
		}
		if err := e.RemoveAlias(ctx, domain, name); err != nil {
			return err
		}
		e.note("alias.remove", s.display(found.Login, domain), fields{"alias": s.display(name, domain)}, nil)
		return nil
	})
}

func findAlias(ctx context.Context, r StoreReader, domain string, name UserName) (Alias, error) {
	as, err := r.Aliases(ctx, domain)
	if err != nil {
		return Alias{}, err
	}
	for _, a := range as {
		if a.Name == name {
			return a, nil
		}
	}
	return Alias{}, ErrNotFound
}
