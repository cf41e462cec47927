package identity

import (
	"context"
	"errors"
	"slices"
)

// Prospect is what somebody of a directory is here, or would be after a log-in.
type Prospect struct {
	Person  Person
	User    string   // what the account is, or would be called; "": there would be none
	Exists  bool     // there is an account
	Level   Level    // that it has then
	Groups  []string // that it is in then, as far as the directory decides; of a new account all
	Leaves  []string // that it leaves
	Refused string   // why there would be no account, or no change, in words; "": nothing is in the way
}

// Prospect asks a directory who has a login there, and says what this server would make of them. It
// changes nothing.
func (s *Service) Prospect(ctx context.Context, by Actor, source, login string) (Prospect, error) {
	p, err := s.TestDirectory(ctx, by, source, login)
	if err != nil {
		return Prospect{}, err
	}
	if p == nil {
		return Prospect{}, faultf(ErrInvalid, "write the login of somebody in the directory %q", source)
	}
	d, err := s.directory(source)
	if err != nil {
		return Prospect{}, err
	}
	out := Prospect{Person: *p}
	if p.Subject == "" {
		out.Refused = "the directory has nothing that says for ever who they are; see id_attribute"
		return out, nil
	}
	a, err := s.store.AccountBySubject(ctx, d.Name, p.Subject)
	switch {
	case err == nil && a.State == UserDeleted:
		out.Refused = "the account was removed here, and stays so"
		return out, nil
	case err == nil:
		s.prospectOf(&out, d.Intake, a)
		return out, nil
	case !errors.Is(err, ErrNotFound):
		return Prospect{}, err
	}
	return out, s.prospectNew(ctx, &out, d.Intake)
}

// prospectOf is that of an account that there is.
func (s *Service) prospectOf(out *Prospect, in Intake, a Account) {
	u := s.followed(in, a.User, out.Person)
	out.User, out.Exists, out.Level = s.display(a.Login, a.Domain), true, u.Level
	for _, g := range a.Groups {
		out.Groups = append(out.Groups, string(g.Name))
	}
	join, leave := s.regrouped(in, a, out.Person)
	out.Leaves = leave
	out.Groups = slices.DeleteFunc(append(out.Groups, join...), func(g string) bool { return slices.Contains(leave, g) })
	if u.State == UserDisabled {
		out.Refused = "the account is disabled, or would be"
	}
}

// prospectNew is that of who has no account yet.
func (s *Service) prospectNew(ctx context.Context, out *Prospect, in Intake) error {
	name, domain, err := ParseAddress(out.Person.Login, in.Domain)
	if err == nil {
		err = s.free(ctx, s.store, domain, name)
	}
	switch {
	case errors.Is(err, ErrExists), errors.Is(err, ErrInvalid):
		out.Refused = err.Error()
		return nil
	case err != nil:
		return err
	case !in.Create:
		out.Refused = "this directory makes no accounts by itself; attach one that there is: trivium source attach"
		return nil
	case out.Person.Disabled:
		out.Refused = "they are disabled in the directory"
		return nil
	}
	out.User, out.Level = s.display(name, domain), in.Level
	if l, ok := in.levelOf(out.Person); ok {
		out.Level = l
	}
	mine, _ := in.groupsOf(out.Person)
	for _, g := range append(slices.Clone(in.Groups), mine...) {
		if !slices.Contains(out.Groups, g) {
			out.Groups = append(out.Groups, g)
		}
	}
	return nil
}
