package identity

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// importing is one transaction of an import.
type importing struct {
	service *Service
	*edit
	by     Actor
	o      ImportOptions
	groups map[string]*Group // by name@domain, that have been looked up
}

// one adds or updates an account.
func (t *importing) one(ctx context.Context, in *incoming) error {
	now, err := t.Account(ctx, in.domain, in.login)
	switch {
	case err == nil && now.Login == in.login:
		return t.update(ctx, in, now)
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	if in.was != nil {
		return faultf(ErrExists, "the account was changed meanwhile; import it again")
	}
	return t.add(ctx, in)
}

func (t *importing) add(ctx context.Context, in *incoming) error {
	s := t.service
	u := User{ID: in.id, Domain: in.domain, Login: in.login, Level: in.level, State: UserActive, Roads: in.Roads,
		Profile: in.profile, CreatedAt: s.now().UTC().Truncate(timeUnit), CredentialVersion: 1}
	if u.Level == LevelNone {
		u.Level = t.o.Level
	}
	in.to(&u)
	if like := in.login.Skeleton(); like != in.login {
		if err := s.freeFor(ctx, t, in.domain, like, true); err != nil {
			return faultf(ErrExists, "the name looks like %q, which there is", like)
		}
	}
	own, err := t.primary(ctx, in, &u)
	if err != nil {
		return err
	}
	if err := t.number(ctx, in, &u); err != nil {
		return err
	}
	if own != nil {
		if own.GID == 0 {
			own.GID, u.GID = u.UID, u.UID
			if _, err := t.GroupRowByGID(ctx, u.GID); err == nil {
				if own.GID, err = t.NextID(ctx, s.opts.UIDMin); err != nil {
					return err
				}
				u.GID = own.GID
			}
		}
	}
	if err := t.put(ctx, in, &u, own); err != nil {
		return err
	}
	if own != nil {
		if err := t.PutGroup(ctx, 0, *own); err != nil {
			return err
		}
	}
	if len(in.record.Sealed) > 0 {
		if err := t.PutPassword(ctx, u.ID, in.record); err != nil {
			return err
		}
	}
	names, err := t.join(ctx, in, u, nil)
	if err != nil {
		return err
	}
	after := shownUser(u)
	after["password"], after["hash"], after["groups"] = string(in.out.Password), in.out.Hash, strings.Join(names, ",")
	t.note("user.import", s.display(u.Login, u.Domain), nil, after)
	t.concern(u.ID)
	if u.Level.Allows(LevelAdmin) && u.State == UserActive {
		if err := t.PutSetting(ctx, setupSetting, ""); err != nil {
			return err
		}
	}
	in.out.Action, in.out.UID, in.out.Level = ImportAdded, u.UID, u.Level
	if in.out.Password == PasswordNone {
		in.out.warn("it has no password: set one, or give it tokens")
	}
	return nil
}

// put writes a new user, with another uid where its own is taken and need not be kept. own is the
// group that is to be made for it, or nil.
func (t *importing) put(ctx context.Context, in *incoming, u *User, own *Group) error {
	_, err := t.PutUser(ctx, *u)
	if !errors.Is(err, ErrExists) {
		return err
	}
	if t.o.UIDs == UIDMust || in.UID == nil {
		return faultf(ErrExists, "the uid %d is or was another account's", u.UID)
	}
	in.out.warn("the uid %d is or was another account's, so it has a new one", u.UID)
	shared := own != nil && own.GID == u.UID
	if u.UID, err = t.NextID(ctx, t.service.opts.UIDMin); err != nil {
		return err
	}
	if shared {
		own.GID, u.GID = u.UID, u.UID
	}
	if _, err = t.PutUser(ctx, *u); errors.Is(err, ErrExists) {
		return faultf(ErrExists, "the uid %d is or was another account's", u.UID)
	}
	return err
}

// to sets what an import says of an account, but level and profile.
func (in *incoming) to(u *User) {
	assign(&u.QuotaBytes, in.QuotaBytes)
	assign(&u.QuotaFiles, in.QuotaFiles)
	assign(&u.Rates.Upload, in.UploadRate)
	assign(&u.Rates.Download, in.DownloadRate)
	if len(in.Roads) > 0 {
		u.Roads = in.Roads
	}
	if !in.ExpiresAt.IsZero() {
		u.ExpiresAt = in.ExpiresAt.UTC().Truncate(timeUnit)
	}
	if in.Disabled {
		u.State = UserDisabled
	}
}

// number chooses the uid.
func (t *importing) number(ctx context.Context, in *incoming, u *User) (err error) {
	if in.UID != nil && t.o.UIDs != UIDNew {
		u.UID = *in.UID
		return nil
	}
	u.UID, err = t.NextID(ctx, t.service.opts.UIDMin)
	return err
}

// update sets what the import says of an account that there is.
func (t *importing) update(ctx context.Context, in *incoming, now Account) error {
	s := t.service
	in.out.UID, in.out.Level = now.UID, now.Level
	if t.o.Conflict != ConflictUpdate {
		if t.o.Conflict == ConflictSkip && (in.UID == nil || *in.UID == now.UID || t.o.UIDs == UIDNew) {
			in.out.Action, in.out.Password, in.out.Hash, in.out.NeedsPlain, in.record = ImportSame, PasswordOwn, "", false, Record{}
			in.out.Warnings = []string{}
			return nil
		}
		return faultf(ErrExists, "there is a user %q already, with the uid %d", s.display(now.Login, now.Domain), now.UID)
	}
	if in.was == nil || in.was.ID != now.ID || !slices.Equal(in.was.Password.Sealed, now.Password.Sealed) {
		return faultf(ErrExists, "the account was changed meanwhile; import it again")
	}
	if err := s.mayChange(t.by, now.User, false); err != nil {
		return err
	}
	u := now.User
	in.to(&u)
	u.Profile = u.Profile.overlaid(in.profile)
	if in.level != LevelNone {
		u.Level = in.level
	}
	if in.UID != nil && *in.UID != now.UID {
		in.out.warn("it keeps its uid %d, and does not get %d", now.UID, *in.UID)
	}
	if err := s.keepsAdministrator(ctx, t, now.User, u); err != nil {
		return err
	}
	if len(in.record.Sealed) > 0 && len(now.Password.Sealed) > 0 || now.State != UserDisabled && u.State == UserDisabled {
		u.CredentialVersion++
	}
	names, err := t.join(ctx, in, u, now.Groups)
	if err != nil {
		return err
	}
	b, a := shownUser(now.User), shownUser(u)
	if len(names) > 0 {
		a["groups"] = strings.Join(names, ",")
	}
	if len(in.record.Sealed) > 0 {
		a["password"], a["hash"] = string(in.out.Password), in.out.Hash
	}
	if in.out.Password == PasswordNone {
		in.out.Password = PasswordOwn
	}
	if !differ(b, a) {
		in.out.Action = ImportSame
		return nil
	}
	if _, err := t.PutUser(ctx, u); err != nil {
		return err
	}
	if len(in.record.Sealed) > 0 {
		if err := t.PutPassword(ctx, u.ID, in.record); err != nil {
			return err
		}
	}
	t.note("user.import", s.display(u.Login, u.Domain), b, a)
	t.concern(u.ID)
	in.out.Action, in.out.Level = ImportUpdated, u.Level
	return nil
}

// differ reports whether after says something that before does not.
func differ(before, after fields) bool {
	for k, v := range after {
		if w, ok := before[k]; !ok || w != v {
			return true
		}
	}
	return false
}

// overlaid is p with the fields of other that say something.
func (p Profile) overlaid(other Profile) Profile {
	for _, f := range []struct{ to, from *string }{{&p.Email, &other.Email}, {&p.Name, &other.Name}, {&p.Phone, &other.Phone}, {&p.About, &other.About},
		{&p.Lang, &other.Lang}, {&p.Formats, &other.Formats}, {&p.TimeZone, &other.TimeZone}} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	p.KeysOff = p.KeysOff || other.KeysOff
	return p
}
