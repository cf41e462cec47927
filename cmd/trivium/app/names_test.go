package app

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
)

// accounts is identity over a store of its own.
func accounts(t *testing.T) *identity.Service {
	t.Helper()
	db := sqltest.Migrated(t, identitystore.Migrate)
	s, err := identity.New(t.Context(), identity.Options{Store: identitystore.New(db), Domain: "example.org", SealKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOwnerNames(t *testing.T) {
	ctx, s := context.Background(), accounts(t)
	root := identity.Actor{Level: identity.LevelRoot}
	add := func(login string) identity.Account {
		t.Helper()
		a, err := s.AddUser(ctx, root, identity.NewUser{Login: login})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	now := time.Now()
	n := &ownerNames{identity: s, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }}
	alice := add("alice")
	if u, g := n.UserName(alice.UID), n.GroupName(alice.GID); u != "alice" || g != "alice" {
		t.Errorf("got %q and %q", u, g)
	}
	for _, name := range []string{"alice", "alice@example.org"} {
		if uid, ok := n.FindUser("example.org", name); !ok || uid != alice.UID {
			t.Errorf("%s is %d, %v", name, uid, ok)
		}
		if gid, ok := n.FindGroup("example.org", name); !ok || gid != alice.GID {
			t.Errorf("group %s is %d, %v", name, gid, ok)
		}
	}
	if _, ok := n.FindUser("example.net", "alice"); ok {
		t.Error("alice of another domain was found")
	}
	if u := n.UserName(1); u != "" {
		t.Errorf("nobody's uid is %q", u)
	}
	if u := n.UserName(alice.UID + 1); u != "" {
		t.Errorf("the uid that nobody has yet is %q", u)
	}
	bob := add("bob")
	if bob.UID != alice.UID+1 {
		t.Fatalf("bob has the uid %d", bob.UID)
	}
	if u := n.UserName(bob.UID); u != "" {
		t.Errorf("%q was read again at once", u)
	}
	now = now.Add(namesRetry)
	if u := n.UserName(bob.UID); u != "bob" {
		t.Errorf("got %q after %s", u, namesRetry)
	}
}
