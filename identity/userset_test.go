package identity_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
)

func TestSetUser(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	u := a.add("user1", 0)
	a.add("user2", 0)
	a.add("admin1", identity.LevelAdmin)
	_, err := a.AddGroup(ctx, owner, "staff", 20000)
	a.must("adding a group", err)
	a.must("joining", a.AddMembers(ctx, owner, "staff", []string{"user1"}, true))
	level, uid, gid, quota, files := identity.LevelStaff, uint32(777), uint32(20000), int64(-1), int64(9)
	roads, expires := []identity.Road{identity.RoadWeb}, time.Now().Add(24*time.Hour)
	change := identity.UserChange{Level: &level, UID: &uid, GID: &gid, QuotaBytes: &quota, QuotaFiles: &files,
		Roads: &roads, ExpiresAt: &expires, Profile: &identity.Profile{Name: "One", About: "a\nb"}}
	got, err := a.SetUser(ctx, adminOne, "user1", change)
	a.must("changing", err)
	if got.Level != level || got.UID != uid || got.GID != gid || got.Group.Name != "staff" || got.QuotaBytes != -1 || got.QuotaFiles != 9 ||
		!slices.Equal(got.Roads, roads) || !got.ExpiresAt.Equal(expires.Truncate(time.Microsecond)) || got.Profile.Name != "One" {
		t.Errorf("account: %+v", got.User)
	}
	if len(got.Groups) != 0 {
		t.Errorf("the primary group is a supplementary one as well: %v", got.Groups)
	}
	if got.CredentialVersion != u.CredentialVersion || got.ChangeSeq <= u.ChangeSeq {
		t.Errorf("versions: %+v, before %+v", got.User, u.User)
	}
	rows, err := a.Audit(ctx, identity.AuditFilter{Subject: "user1", Actor: "admin1"})
	a.must("reading the audit log", err)
	if len(rows) != 2 || rows[1].Event != "level.set" || rows[1].Before != `{"level":"user"}` || rows[1].After != `{"level":"staff"}` ||
		rows[0].Event != "user.set" || !strings.Contains(rows[0].After, `"uid":777`) || strings.Contains(rows[0].After, "state") ||
		rows[0].Remote != "192.0.2.9" {
		t.Errorf("audit: %+v", rows)
	}
	again, err := a.SetUser(ctx, adminOne, "user1", change)
	if err != nil || again.ChangeSeq != got.ChangeSeq {
		t.Errorf("the same again: sequence %d, was %d; %v", again.ChangeSeq, got.ChangeSeq, err)
	}
	taken, none, deleted, less := uint32(10001), uint32(4444), identity.UserDeleted, int64(-2)
	for name, c := range map[string]struct {
		change identity.UserChange
		kind   error
	}{
		"a taken uid":    {identity.UserChange{UID: &taken}, identity.ErrExists},
		"no such gid":    {identity.UserChange{GID: &none}, identity.ErrNotFound},
		"deleting":       {identity.UserChange{State: &deleted}, identity.ErrInvalid},
		"a bad quota":    {identity.UserChange{QuotaBytes: &less}, identity.ErrInvalid},
		"a bad profile":  {identity.UserChange{Profile: &identity.Profile{TimeZone: "Mars/Base"}}, identity.ErrInvalid},
		"the uid 0":      {identity.UserChange{UID: new(uint32)}, identity.ErrInvalid},
		"no such road":   {identity.UserChange{Roads: &[]identity.Road{"x"}}, identity.ErrInvalid},
		"the level NONE": {identity.UserChange{Level: new(identity.Level)}, identity.ErrInvalid},
	} {
		_, err := a.SetUser(ctx, owner, "user1", c.change)
		a.refused(name, err, c.kind)
	}
	_, err = a.SetUser(ctx, owner, "user9", change)
	a.refused("nobody", err, identity.ErrNotFound, `no user "user9"`)
}

func TestSetUserReachesSessions(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	a.add("user1", 0)
	ses, h := a.in("user1", "correct horse user1")
	level := identity.LevelStaff
	_, err := a.SetUser(ctx, owner, "user1", identity.UserChange{Level: &level})
	a.must("raising", err)
	if c, ok := ses.Credentials(); !ok || c.Level != level || ses.Level() != level || h.changed != 1 {
		t.Errorf("after a new level: %+v, changed %d", c, h.changed)
	}
	disabled, active := identity.UserDisabled, identity.UserActive
	_, err = a.SetUser(ctx, owner, "user1", identity.UserChange{State: &disabled})
	a.must("disabling", err)
	if got := h.codes(); !slices.Equal(got, []identity.ReasonCode{identity.ReasonDisabled}) && !slices.Equal(got, []identity.ReasonCode{identity.ReasonRevoked}) {
		t.Errorf("disabled: told %v", got)
	}
	if _, _, err := a.login("user1", "correct horse user1"); !errors.Is(err, identity.ErrDisabled) {
		t.Errorf("logging in while disabled: %v", err)
	}
	_, err = a.SetUser(ctx, owner, "user1", identity.UserChange{State: &active})
	a.must("enabling", err)
	a.in("user1", "correct horse user1")
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	u := a.add("user1", 0)
	salt, iterations, err := a.SCRAMParameters(ctx, u.ID)
	a.must("SCRAM", err)
	kept, keptHolder := a.in("user1", "correct horse user1")
	_, other := a.in("user1", "correct horse user1")
	self := identity.Actor{User: "user1", Level: identity.LevelUser, Via: "web"}
	a.must("setting", a.SetPassword(ctx, self, "user1", identity.NewSecret("battery staple"), kept))
	if got := other.codes(); !slices.Equal(got, []identity.ReasonCode{identity.ReasonRevoked}) {
		t.Errorf("the other session was told %v", got)
	}
	if got := keptHolder.codes(); len(got) != 0 {
		t.Errorf("the kept session was told %v", got)
	}
	if _, _, err := a.login("user1", "correct horse user1"); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	a.in("user1", "battery staple")
	now, err := a.User(ctx, "user1")
	a.must("reading", err)
	if now.CredentialVersion != u.CredentialVersion+1 {
		t.Errorf("credential version %d, was %d", now.CredentialVersion, u.CredentialVersion)
	}
	again, times, err := a.SCRAMParameters(ctx, u.ID)
	if err != nil || string(again) != string(salt) || times != iterations {
		t.Errorf("the salt changed with the password: %v", err)
	}
	a.must("checking", a.CheckPassword(ctx, kept, identity.NewSecret("battery staple")))
	a.refused("checking a wrong one", a.CheckPassword(ctx, kept, identity.NewSecret("battery")), identity.ErrCredentials)

	for name, pw := range map[string]string{"short": "1234567", "eight bytes, seven characters": "äbcdefg", "long": strings.Repeat("x", 1025),
		"the login in capitals": "USER1", "not UTF-8": "12345678\xff", "a control character": "12345678\x01"} {
		err := a.SetPassword(ctx, owner, "user1", identity.NewSecret(pw), nil)
		a.refused(name, err, identity.ErrInvalid)
		if err != nil && strings.Contains(err.Error(), pw) {
			t.Errorf("%s: the error repeats the password: %v", name, err)
		}
	}
	a.must("eight characters", a.SetPassword(ctx, owner, "user1", identity.NewSecret("äöüäöüäö"), nil))
	a.must("removing", a.SetPassword(ctx, owner, "user1", identity.Secret{}, nil))
	if _, _, err := a.login("user1", "äöüäöüäö"); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("a removed password: %v", err)
	}
	rows, err := a.Audit(ctx, identity.AuditFilter{})
	a.must("reading the audit log", err)
	for _, r := range rows {
		for _, secret := range []string{"horse", "battery", "äöü"} {
			if strings.Contains(r.Detail+r.Before+r.After, secret) {
				t.Errorf("a password in the audit log: %+v", r)
			}
		}
	}
	a.refused("of nobody", a.SetPassword(ctx, owner, "user9", identity.NewSecret("long enough"), nil), identity.ErrNotFound)
}

// TestSetPasswordAtOnce holds that a salt which tokens have got stays, whoever is first.
func TestSetPasswordAtOnce(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	u, err := a.AddUser(ctx, owner, identity.NewUser{Login: "user1"})
	a.must("adding", err)
	var wg sync.WaitGroup
	salts := make([]string, 4)
	for i := range salts {
		wg.Go(func() {
			salt, _, err := a.SCRAMParameters(ctx, u.ID)
			if err != nil {
				t.Errorf("SCRAM: %v", err)
			}
			salts[i] = string(salt)
		})
		wg.Go(func() {
			err := a.SetPassword(ctx, owner, "user1", identity.NewSecret("battery staple"), nil)
			if err != nil && !errors.Is(err, identity.ErrBusy) {
				t.Errorf("setting: %v", err)
			}
		})
	}
	wg.Wait()
	for _, s := range salts {
		if s != salts[0] {
			t.Errorf("two salts were given out: %x and %x", s, salts[0])
		}
	}
	last, _, err := a.SCRAMParameters(ctx, u.ID)
	if err != nil || string(last) != salts[0] {
		t.Errorf("the salt is %x, given out was %x; %v", last, salts[0], err)
	}
}

func TestRemoveUser(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	_, err := a.AddGroup(ctx, owner, "staff", 0)
	a.must("adding a group", err)
	u := a.add("user1", 0, "staff")
	_, err = a.AddAlias(ctx, owner, "nick", "user1")
	a.must("adding an alias", err)
	_, err = a.SetUser(ctx, owner, "user1", identity.UserChange{Profile: &identity.Profile{Phone: "+49 30 1"}})
	a.must("setting a profile", err)
	_, h := a.in("nick", "correct horse user1")
	a.must("removing", a.RemoveUser(ctx, owner, "user1"))
	if got := h.codes(); !slices.Equal(got, []identity.ReasonCode{identity.ReasonDisabled}) {
		t.Errorf("the session was told %v", got)
	}
	for _, name := range []string{"user1", "nick"} {
		_, err := a.User(ctx, name)
		a.refused("reading "+name, err, identity.ErrNotFound)
		_, err = a.AddUser(ctx, owner, identity.NewUser{Login: name})
		a.refused("adding "+name+" anew", err, identity.ErrExists)
		if _, _, err := a.login(name, "correct horse user1"); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("logging in as %s: %v", name, err)
		}
	}
	g, err := a.Group(ctx, "staff")
	if err != nil || len(g.Members) != 0 {
		t.Errorf("still a member: %+v, %v", g, err)
	}
	if own, err := a.Group(ctx, "user1"); err != nil || own.GID != u.GID {
		t.Errorf("the own group, which the files have: %+v, %v", own, err)
	}
	gone, err := a.store.AccountsChanged(ctx, 0, 100)
	if err != nil || len(gone) != 1 || gone[0].Profile != (identity.Profile{}) || len(gone[0].Password.Sealed) != 0 || gone[0].UID != u.UID {
		t.Errorf("the tombstone: %+v, %v", gone, err)
	}
	a.refused("removing again", a.RemoveUser(ctx, owner, "user1"), identity.ErrNotFound, `no user "user1"`)
	a.must("freeing the alias", a.RemoveAlias(ctx, owner, "nick"))
	a.add("nick", 0)
}
