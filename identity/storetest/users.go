package storetest

import (
	"context"
	"fmt"
	"testing"

	"trivium/identity"
)

func account(t *testing.T, s identity.Store) {
	u := newUser("user1", 10000)
	u.Level, u.State = identity.LevelModerator, identity.UserDisabled
	u.Roads = []identity.Road{identity.RoadFTP, identity.RoadXMPP}
	u.QuotaBytes, u.QuotaFiles = 1<<40, -1
	u.Rates = identity.Rates{Upload: 10 << 20, Download: -1, Transfers: 3}
	u.Profile = identity.Profile{Email: "user1@example.org", Name: "One \"User\" 名", Phone: "+49 30 1",
		About: "line\nline'; DROP TABLE users", Lang: "de-CH", Formats: "de", TimeZone: "Europe/Berlin", KeysOff: true}
	u.ExpiresAt, u.LastLogin, u.CredentialVersion, u.MustChange = at(100), at(50), 7, true
	u.UID, u.GID = 4_000_000_000, 4_000_000_001
	other := newUser("user2", 10002)
	put(t, s, other)
	var seq int64
	write(t, s, func(ctx context.Context, w identity.StoreWriter) (err error) {
		for _, g := range []identity.Group{newGroup("user1", 4_000_000_001), newGroup("zoo", 20001), newGroup("ants", 20002), newGroup("none", 20003)} {
			if err := w.PutGroup(ctx, 0, g); err != nil {
				return err
			}
		}
		if seq, err = w.PutUser(ctx, u); err != nil {
			return err
		}
		if err := w.PutMember(ctx, 20001, u.ID, true); err != nil {
			return err
		}
		if err := w.PutMember(ctx, 20002, u.ID, false); err != nil {
			return err
		}
		if err := w.PutMember(ctx, 20002, other.ID, false); err != nil {
			return err
		}
		if err := w.PutPassword(ctx, u.ID, identity.Record{Sealed: []byte{0, 1, 255}}); err != nil {
			return err
		}
		return w.PutAlias(ctx, identity.Alias{Domain: domain, Name: "first", Target: u.ID})
	})
	a := get(t, s, "user1")
	var names []string
	for _, g := range a.Groups {
		names = append(names, fmt.Sprintf("%s %d %s %v", g.Name, g.GID, g.Domain, g.CreatedAt.Equal(at(1)) && g.ChangeSeq > 0))
	}
	equal(t, "supplementary groups, by name", names, []string{"ants 20002 example.org true", "zoo 20001 example.org true"})
	if a.Group.Name != "user1" || a.Group.GID != u.GID || a.Group.Domain != domain || !a.Group.CreatedAt.Equal(at(1)) {
		t.Errorf("primary group: %+v", a.Group)
	}
	equal(t, "password", a.Password.Sealed, []byte{0, 1, 255})
	u.ChangeSeq = seq
	equal(t, "user", a.User, u)

	equal(t, "by alias", get(t, s, "first"), a)
	byID, err := s.AccountByID(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by ID", byID, a)
	byUID, err := s.AccountByUID(t.Context(), u.UID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by uid", byUID, a)
	_, err = s.AccountByUID(t.Context(), 1)
	is(t, "by a uid of nobody", err, identity.ErrNotFound)
	all, err := s.Accounts(t.Context(), identity.UserFilter{})
	if err != nil || len(all) != 2 {
		t.Fatalf("Accounts: %d, %v", len(all), err)
	}
	equal(t, "in the list", all[0], a)
	for _, name := range []identity.UserName{"user", "user11", "firs", "USER1", "%", "ants"} {
		_, err := s.Account(t.Context(), domain, name)
		is(t, "Account "+string(name), err, identity.ErrNotFound)
	}
	_, err = s.Account(t.Context(), "example.net", "user1")
	is(t, "in another domain", err, identity.ErrNotFound)
}

func unique(t *testing.T, s identity.Store) {
	put(t, s, newUser("user1", 10000), newUser("user2", 10001))
	for name, change := range map[string]func(*identity.User){
		"a taken login":               func(u *identity.User) { u.ID, u.UID = "id-new", 10009 },
		"a taken uid":                 func(u *identity.User) { u.ID, u.Login = "id-new", "user9" },
		"another's login, for an old": func(u *identity.User) { u.Login = "user2" },
		"another's uid, for an old":   func(u *identity.User) { u.UID = 10001 },
	} {
		u := newUser("user1", 10000)
		change(&u)
		err := s.Write(t.Context(), func(w identity.StoreWriter) error {
			_, err := w.PutUser(t.Context(), u)
			return err
		})
		is(t, name, err, identity.ErrExists)
	}
	elsewhere := newUser("user1", 10005)
	elsewhere.ID, elsewhere.Domain = "id-elsewhere", "example.net"
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		_, err := w.PutUser(ctx, elsewhere)
		return err
	})
	equal(t, "the same login in another domain", get(t, s, "user1").UID, uint32(10000))
}

func filters(t *testing.T, s identity.Store) {
	a, b, c, d := newUser("user1", 10000), newUser("user2", 10001), newUser("admin1", 10002), newUser("gone", 10003)
	a.Profile.Name, b.Profile.Email = "Ämilia 100%", "Second@Example.net"
	c.LastLogin = at(50)
	b.State, c.Level, d.State = identity.UserDisabled, identity.LevelAdmin, identity.UserDeleted
	put(t, s, a, b, c, d)
	far := newUser("far", 10004)
	far.Domain = "example.net"
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutGroup(ctx, 0, newGroup("staff", 20000)); err != nil {
			return err
		}
		if err := w.PutMember(ctx, 20000, c.ID, false); err != nil {
			return err
		}
		b.GID = 20000
		if _, err := w.PutUser(ctx, b); err != nil {
			return err
		}
		if _, err := w.PutUser(ctx, far); err != nil {
			return err
		}
		g := newGroup("staff", 20001)
		g.Domain = "example.net"
		if err := w.PutGroup(ctx, 0, g); err != nil {
			return err
		}
		return w.PutMember(ctx, 20001, far.ID, false)
	})
	admin, none := identity.LevelAdmin, identity.LevelLoggedIn
	for _, c := range []struct {
		name   string
		filter identity.UserFilter
		want   []string
	}{
		{"nothing", identity.UserFilter{}, []string{"admin1", "far", "user1", "user2"}},
		{"part of a login, in capitals", identity.UserFilter{Text: "USER"}, []string{"user1", "user2"}},
		{"part of a name, not ASCII", identity.UserFilter{Text: "ÄMIL"}, []string{"user1"}},
		{"part of an e-mail address", identity.UserFilter{Text: "second@"}, []string{"user2"}},
		{"a percent sign is itself", identity.UserFilter{Text: "0%"}, []string{"user1"}},
		{"an underscore is itself", identity.UserFilter{Text: "_"}, []string{}},
		{"an exclamation mark is itself", identity.UserFilter{Text: "!"}, []string{}},
		{"level", identity.UserFilter{Level: &admin}, []string{"admin1"}},
		{"a level of nobody", identity.UserFilter{Level: &none}, []string{}},
		{"group, primary or not, any domain", identity.UserFilter{Group: "staff"}, []string{"admin1", "far", "user2"}},
		{"group of a domain", identity.UserFilter{Group: "staff@example.org"}, []string{"admin1", "user2"}},
		{"a group of nobody", identity.UserFilter{Group: "nobody"}, []string{}},
		{"state", identity.UserFilter{State: identity.UserDisabled}, []string{"user2"}},
		{"tombstones when asked for", identity.UserFilter{State: identity.UserDeleted}, []string{"gone"}},
		{"a text of three letters and more", identity.UserFilter{Text: "milia 100%"}, []string{"user1"}},
		{"letters that are there, in another order", identity.UserFilter{Text: "iliami"}, []string{}},
		{"across what is joined", identity.UserFilter{Text: "1ämilia"}, []string{}},
		{"quotes and signs of a query", identity.UserFilter{Text: `use" OR "adm`}, []string{}},
		{"a star is itself", identity.UserFilter{Text: "use*"}, []string{}},
		{"a text that nobody can have", identity.UserFilter{Text: "us\x00er"}, []string{}},
		{"seen", identity.UserFilter{SeenSince: at(50)}, []string{"admin1"}},
		{"seen later", identity.UserFilter{SeenSince: at(51)}, []string{}},
		{"after one", identity.UserFilter{After: far.Place()}, []string{"user1", "user2"}},
		{"before one", identity.UserFilter{Before: far.Place()}, []string{"admin1"}},
		{"after one that is not there", identity.UserFilter{After: identity.UserPlace{Login: "b", Domain: "x"}}, []string{"far", "user1", "user2"}},
		{"between two", identity.UserFilter{After: c.Place(), Before: b.Place()}, []string{"far", "user1"}},
		{"disabled, after one", identity.UserFilter{State: identity.UserDisabled, After: a.Place()}, []string{"user2"}},
		{"active", identity.UserFilter{State: identity.UserActive}, []string{"admin1", "far", "user1"}},
		{"two together", identity.UserFilter{Text: "1", Level: &admin}, []string{"admin1"}},
	} {
		got, err := s.Accounts(t.Context(), c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		equal(t, c.name, logins(got), c.want)
		n, err := s.CountAccounts(t.Context(), c.filter)
		if err != nil || n != len(c.want) {
			t.Errorf("%s: counted %d, %v; want %d", c.name, n, err, len(c.want))
		}
		c.filter.Limit = 1
		if n, err := s.CountAccounts(t.Context(), c.filter); err != nil || n != min(len(c.want), 1) {
			t.Errorf("%s: counted %d of at most one, %v", c.name, n, err)
		}
	}
	// What an account is looked for by follows it: another text, another uid, and then nothing.
	for _, now := range []identity.User{
		{ID: a.ID, Domain: a.Domain, Login: "other1", UID: a.UID},
		{ID: a.ID, Domain: a.Domain, Login: "other1", UID: 40000},
		{ID: a.ID, Domain: a.Domain, Login: "third1", UID: 10000},
	} {
		now.State, now.CreatedAt = identity.UserActive, at(0)
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
			_, err := w.PutUser(ctx, now)
			return err
		})
		got, err := s.Accounts(t.Context(), identity.UserFilter{Text: string(now.Login)})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "with another text", logins(got), []string{string(now.Login)})
		if got, err := s.Accounts(t.Context(), identity.UserFilter{Text: "ämilia"}); err != nil || len(got) > 0 {
			t.Errorf("by the text that it had: %v, %v", logins(got), err)
		}
	}
}

func pages(t *testing.T, s identity.Store) {
	put(t, s, newUser("user1", 10000), newUser("user2", 10001), newUser("user3", 10002))
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		for gid := uint32(20000); gid < 20005; gid++ {
			if err := w.PutGroup(ctx, 0, newGroup(fmt.Sprintf("g%d", gid), gid)); err != nil {
				return err
			}
			for _, u := range []identity.UserID{"id-user1", "id-user2", "id-user3"} {
				if err := w.PutMember(ctx, gid, u, false); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for offset, want := range [][]string{{"user1", "user2"}, {"user2", "user3"}, {"user3"}, {}} {
		got, err := s.Accounts(t.Context(), identity.UserFilter{Limit: 2, Offset: offset})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprintf("from %d", offset), logins(got), want)
		for _, a := range got {
			if len(a.Groups) != 5 {
				t.Errorf("%s has %d groups, want 5", a.Login, len(a.Groups))
			}
		}
	}
	// The nearest ones before a place, in the order of the list.
	got, err := s.Accounts(t.Context(), identity.UserFilter{Limit: 2, Before: newUser("user4", 0).Place()})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "before user4", logins(got), []string{"user2", "user3"})
}

func tombstones(t *testing.T, s identity.Store) {
	u := newUser("user1", 10000)
	put(t, s, u)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		u.State = identity.UserDeleted
		_, err := w.PutUser(ctx, u)
		return err
	})
	_, err := s.Account(t.Context(), domain, "user1")
	is(t, "Account", err, identity.ErrNotFound)
	_, err = s.AccountByID(t.Context(), u.ID)
	is(t, "AccountByID", err, identity.ErrNotFound)
	login, alias, group, err := s.NameTaken(t.Context(), domain, "user1")
	equal(t, "NameTaken", []any{login, alias, group, err}, []any{true, false, true, error(nil)})
	login, _, group, err = s.NameTaken(t.Context(), "example.net", "user1")
	equal(t, "NameTaken in another domain", []any{login, group, err}, []any{false, false, error(nil)})
	g, err := s.Group(t.Context(), domain, "user1")
	if err != nil || len(g.Primary) != 0 {
		t.Errorf("its group lists it: %+v, %v", g, err)
	}
	err = s.Write(t.Context(), func(w identity.StoreWriter) error {
		again := newUser("user1", 10001)
		again.ID = "id-again"
		_, err := w.PutUser(t.Context(), again)
		return err
	})
	is(t, "the login anew", err, identity.ErrExists)
	changed, err := s.AccountsChanged(t.Context(), 0, 100)
	if err != nil || len(changed) != 1 || changed[0].State != identity.UserDeleted {
		t.Errorf("AccountsChanged: %+v, %v", changed, err)
	}
	put(t, s, newUser("user2", 10002))
	removed, err := s.AccountsRemoved(t.Context(), 0, 100)
	if err != nil || len(removed) != 1 || removed[0].ID != u.ID {
		t.Errorf("AccountsRemoved: %v, %v", logins(removed), err)
	}
	if removed, err = s.AccountsRemoved(t.Context(), changed[0].ChangeSeq, 100); err != nil || len(removed) != 0 {
		t.Errorf("AccountsRemoved after it: %v, %v", logins(removed), err)
	}
}

func changes(t *testing.T, s identity.Store) {
	u1, u2 := newUser("user1", 10000), newUser("user2", 10001)
	put(t, s, u1, u2)
	first, second := get(t, s, "user1").ChangeSeq, get(t, s, "user2").ChangeSeq
	if first < 1 || second <= first {
		t.Errorf("sequences %d and %d do not rise from 1", first, second)
	}
	top, err := s.ChangeSeq(t.Context())
	if err != nil || top < second {
		t.Errorf("ChangeSeq is %d, %v; a user has %d", top, err, second)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.PutLastLogin(ctx, u2.ID, at(9))
	})
	if a := get(t, s, "user2"); a.ChangeSeq != second || !a.LastLogin.Equal(at(9)) {
		t.Errorf("after a log-in: sequence %d, want %d; last log-in %v", a.ChangeSeq, second, a.LastLogin)
	}
	changed, err := s.AccountsChanged(t.Context(), top, 100)
	if err != nil || len(changed) != 0 {
		t.Errorf("AccountsChanged at the top: %v, %v", logins(changed), err)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.Touch(ctx, u1.ID) })
	changed, err = s.AccountsChanged(t.Context(), top, 100)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "AccountsChanged after Touch", logins(changed), []string{"user1"})
	if got := changed[0].ChangeSeq; got <= top {
		t.Errorf("Touch gave %d, not above %d", got, top)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.Touch(ctx, u2.ID, u1.ID) })
	for _, c := range []struct {
		limit int
		want  []string
	}{{1, []string{"user2"}}, {2, []string{"user2", "user1"}}, {100, []string{"user2", "user1"}}} {
		got, err := s.AccountsChanged(t.Context(), top+1, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprintf("the first %d that changed", c.limit), logins(got), c.want)
	}
	err = s.Write(t.Context(), func(w identity.StoreWriter) error { return w.Touch(t.Context(), "nobody") })
	is(t, "Touch of nobody", err, identity.ErrNotFound)
	err = s.Write(t.Context(), func(w identity.StoreWriter) error { return w.PutLastLogin(t.Context(), "nobody", at(1)) })
	is(t, "PutLastLogin of nobody", err, identity.ErrNotFound)
}

func passwords(t *testing.T, s identity.Store) {
	u := newUser("user1", 10000)
	put(t, s, u)
	if p := get(t, s, "user1").Password; len(p.Sealed) != 0 {
		t.Errorf("a new user has a password: %v", p)
	}
	set := func(sealed []byte) {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
			return w.PutPassword(ctx, u.ID, identity.Record{Sealed: sealed})
		})
	}
	set([]byte("sealed"))
	put(t, s, u)
	equal(t, "after PutUser", string(get(t, s, "user1").Password.Sealed), "sealed")
	set(nil)
	if p := get(t, s, "user1").Password; len(p.Sealed) != 0 {
		t.Errorf("after removing: %v", p)
	}
	err := s.Write(t.Context(), func(w identity.StoreWriter) error {
		return w.PutPassword(t.Context(), "nobody", identity.Record{Sealed: []byte("x")})
	})
	is(t, "of nobody", err, identity.ErrNotFound)
}
