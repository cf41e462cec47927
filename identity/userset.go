package identity

import (
	"context"
	"errors"
	"reflect"
	"time"
)

// checked returns the change with normal forms; the error wraps ErrInvalid.
func (c UserChange) checked() (UserChange, error) {
	if c.State != nil && *c.State != UserActive && *c.State != UserDisabled {
		return c, faultf(ErrInvalid, "the state of an account can be set to active or disabled, not %q", string(*c.State))
	}
	if c.UID != nil {
		if err := checkNumber("uid", *c.UID); err != nil {
			return c, err
		}
	}
	if c.GID != nil {
		if err := checkNumber("gid", *c.GID); err != nil {
			return c, err
		}
	}
	if c.Profile != nil {
		p, err := c.Profile.checked()
		if err != nil {
			return c, err
		}
		c.Profile = &p
	}
	if c.Roads != nil {
		r, err := checkRoads(*c.Roads)
		if err != nil {
			return c, err
		}
		c.Roads = &r
	}
	if c.QuotaBytes != nil && *c.QuotaBytes < -1 {
		return c, faultf(ErrInvalid, "the quota in bytes is a number from 1, 0 for the server's default, or -1 for no limit")
	}
	if c.QuotaFiles != nil && *c.QuotaFiles < -1 {
		return c, faultf(ErrInvalid, "the quota in files is a number from 1, 0 for the server's default, or -1 for no limit")
	}
	if c.UploadRate != nil && *c.UploadRate < -1 || c.DownloadRate != nil && *c.DownloadRate < -1 {
		return c, faultf(ErrInvalid, "a rate is a number of bytes a second from 1, 0 for the server's default, or -1 for no limit")
	}
	if c.Transfers != nil && (*c.Transfers < -1 || *c.Transfers > largestChosen) {
		return c, faultf(ErrInvalid, "the transfers at once are a number from 1, 0 for the server's default, or -1 for no limit")
	}
	return c, nil
}

// own reports whether the change is one that people may make of their own account.
func (c UserChange) own() bool {
	c.Profile = nil
	return c == UserChange{}
}

// to returns u with the change.
func (c UserChange) to(u User) User {
	assign(&u.Level, c.Level)
	if c.State != nil {
		u.State, u.SourceOff = *c.State, false // a person has said so
	}
	assign(&u.UID, c.UID)
	assign(&u.GID, c.GID)
	assign(&u.Profile, c.Profile)
	assign(&u.Roads, c.Roads)
	assign(&u.QuotaBytes, c.QuotaBytes)
	assign(&u.QuotaFiles, c.QuotaFiles)
	assign(&u.Rates.Upload, c.UploadRate)
	assign(&u.Rates.Download, c.DownloadRate)
	assign(&u.Rates.Transfers, c.Transfers)
	if c.ExpiresAt != nil {
		u.ExpiresAt = time.Time{}
		if !c.ExpiresAt.IsZero() {
			u.ExpiresAt = c.ExpiresAt.UTC().Truncate(timeUnit)
		}
	}
	return u
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// SetUser changes an account.
func (s *Service) SetUser(ctx context.Context, by Actor, name string, c UserChange) (Account, error) {
	c, err := c.checked()
	if err != nil {
		return Account{}, err
	}
	var out Account
	email := "" // that was
	err = s.edit(ctx, by, func(e *edit) error {
		a, err := s.find(ctx, e, name)
		if err != nil {
			return err
		}
		email = a.Profile.Email
		u, err := s.changed(ctx, e, by, a, c)
		if err != nil {
			return err
		}
		if reflect.DeepEqual(u, a.User) {
			out = a
			return nil
		}
		if _, err := e.PutUser(ctx, u); errors.Is(err, ErrExists) {
			return faultf(ErrExists, "the uid %d is or was another account's; choose another one", u.UID)
		} else if err != nil {
			return err
		}
		if u.Level.Allows(LevelAdmin) && u.State == UserActive {
			if err := e.PutSetting(ctx, setupSetting, ""); err != nil {
				return err
			}
		}
		s.noteUser(e, a.User, u)
		e.concern(u.ID)
		out, err = e.AccountByID(ctx, u.ID)
		return err
	})
	if err != nil {
		return Account{}, err
	}
	if email != "" && email != out.Profile.Email {
		s.tellEmail(ctx, by, &out, email)
	}
	return out, nil
}

// changed is the user with the change, where the actor may make it.
func (s *Service) changed(ctx context.Context, e *edit, by Actor, a Account, c UserChange) (User, error) {
	before := a.User
	if err := s.mayChange(by, before, c.own()); err != nil {
		return User{}, err
	}
	after := c.to(before)
	if after.Level != before.Level {
		if err := mayGive(by, after.Level); err != nil {
			return User{}, err
		}
	}
	if err := s.keepsAdministrator(ctx, e, before, after); err != nil {
		return User{}, err
	}
	if after.GID != before.GID {
		g, err := e.GroupBriefByGID(ctx, after.GID)
		if errors.Is(err, ErrNotFound) {
			return User{}, faultf(ErrNotFound, "no group has the gid %d; make it first", after.GID)
		}
		if err != nil {
			return User{}, err
		}
		if err := s.mayJoin(ctx, e, by, g, before.Domain); err != nil {
			return User{}, err
		}
		// A primary group is not a supplementary one as well.
		if err := e.RemoveMember(ctx, g.GID, before.ID); err != nil && !errors.Is(err, ErrNotFound) {
			return User{}, err
		}
	}
	if before.State != UserDisabled && after.State == UserDisabled {
		// So that no session of before revives with the account, even where this process dies
		// before it has ended them.
		after.CredentialVersion++
	}
	return after, nil
}

// noteUser writes the audit rows of a changed user: the level has one of its own.
func (s *Service) noteUser(e *edit, before, after User) {
	b, a := shownUser(before), shownUser(after)
	name := s.display(after.Login, after.Domain)
	if before.Level != after.Level {
		e.note("level.set", name, fields{"level": b["level"]}, fields{"level": a["level"]})
	}
	delete(b, "level")
	delete(a, "level")
	if !reflect.DeepEqual(b, a) {
		e.note("user.set", name, b, a)
	}
}

// RemoveUser makes an account a tombstone: its login stays reserved, its files stay. So do its
// uid, its aliases as names, and its own group, on which the files hang; profile, password and
// memberships go.
func (s *Service) RemoveUser(ctx context.Context, by Actor, name string) error {
	return s.removeUser(ctx, by, name, false)
}

// RemoveOwn is RemoveUser for the actor's own account. Whether people may do that is the road's to
// decide.
func (s *Service) RemoveOwn(ctx context.Context, by Actor) error {
	return s.removeUser(ctx, by, by.User, true)
}

func (s *Service) removeUser(ctx context.Context, by Actor, name string, own bool) error {
	return s.edit(ctx, by, func(e *edit) error {
		a, err := s.find(ctx, e, name)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, a.User, own); err != nil {
			return err
		}
		u := a.User
		u.State, u.Profile = UserDeleted, Profile{}
		u.CredentialVersion++
		if err := s.keepsAdministrator(ctx, e, a.User, u); err != nil {
			return err
		}
		for _, g := range a.Groups {
			if err := e.RemoveMember(ctx, g.GID, u.ID); err != nil {
				return err
			}
		}
		if err := e.unlink(ctx, u.ID); err != nil {
			return err
		}
		if err := s.forgetApplications(ctx, e, u); err != nil {
			return err
		}
		if err := e.PutPassword(ctx, u.ID, Record{}); err != nil {
			return err
		}
		factors, err := e.Factors(ctx, u.ID)
		if err != nil {
			return err
		}
		ids := make([]string, len(factors))
		for i, f := range factors {
			ids[i] = f.ID
		}
		if err := e.RemoveFactors(ctx, u.ID, ids...); err != nil {
			return err
		}
		if err := forgetDevices(ctx, e, u.ID); err != nil {
			return err
		}
		if err := forgetCertificates(ctx, e, u.ID); err != nil {
			return err
		}
		if _, err := e.PutUser(ctx, u); err != nil {
			return err
		}
		if err := e.removeRulesOf(ctx, u.ID); err != nil {
			return err
		}
		e.note("user.remove", s.display(u.Login, u.Domain), fields{"state": string(a.State), "level": a.Level.String()},
			fields{"state": string(u.State), "level": a.Level.String()})
		e.concern(u.ID)
		return nil
	})
}
