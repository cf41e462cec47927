package storetest

import (
	"context"
	"testing"

	"trivium/identity"
)

func sources(t *testing.T, s identity.Store) {
	ctx := t.Context()
	u, local := newUser("user1", 10000), newUser("user2", 10001)
	u.Source, u.Subject, u.SourceOff = "office", "6d4a-1", true
	gone := newUser("user3", 10002)
	gone.Source, gone.Subject, gone.State = "office", "6d4a-3", identity.UserDeleted
	put(t, s, u, local, gone)
	a, err := s.AccountBySubject(ctx, "office", "6d4a-1")
	if err != nil || a.Login != "user1" || !a.SourceOff || a.Source != "office" || a.Subject != "6d4a-1" {
		t.Errorf("by subject: %+v, %v", a.User, err)
	}
	if a, err = s.AccountBySubject(ctx, "office", "6d4a-3"); err != nil || a.State != identity.UserDeleted {
		t.Errorf("a tombstone by subject: %+v, %v", a.User, err)
	}
	for _, c := range [][2]string{{"office", "6d4a-2"}, {"other", "6d4a-1"}, {"", ""}, {"office", ""}} {
		_, err := s.AccountBySubject(ctx, c[0], c[1])
		is(t, "by "+c[0]+" "+c[1], err, identity.ErrNotFound)
	}
	list, err := s.Accounts(ctx, identity.UserFilter{Source: "office"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "of a source", logins(list), []string{"user1"})
	twin := newUser("user4", 10003)
	twin.Source, twin.Subject = "office", "6d4a-1"
	err = s.Write(ctx, func(w identity.StoreWriter) error {
		_, err := w.PutUser(ctx, twin)
		return err
	})
	is(t, "two accounts of one person", err, identity.ErrExists)
	for uid, want := range map[uint32]bool{10000: true, 10002: true, 10003: false} {
		if taken, err := s.UIDTaken(ctx, uid); err != nil || taken != want {
			t.Errorf("the uid %d is taken: %v, %v", uid, taken, err)
		}
	}
	twin.Source = "other"
	put(t, s, twin)
}

func links(t *testing.T, s identity.Store) {
	ctx := t.Context()
	put(t, s, newUser("user1", 10000), newUser("user2", 10001))
	l := identity.Link{Issuer: "https://id.example.org", Subject: "1", User: "id-user1", Source: "company", Label: "one", LinkedAt: at(1)}
	second := l
	second.Subject, second.LinkedAt = "2", at(2)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutLink(ctx, second); err != nil {
			return err
		}
		return w.PutLink(ctx, l)
	})
	got, err := s.Link(ctx, l.Issuer, "1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "link", got, l)
	all, err := s.Links(ctx, "id-user1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "links", all, []identity.Link{l, second})
	l.UsedAt, l.Label = at(9), "uno"
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutLink(ctx, l) })
	if got, err = s.Link(ctx, l.Issuer, "1"); err != nil || got != l {
		t.Errorf("used: %+v, %v", got, err)
	}
	stolen := l
	stolen.User = "id-user2"
	is(t, "another account's", s.Write(ctx, func(w identity.StoreWriter) error { return w.PutLink(ctx, stolen) }), identity.ErrExists)
	stolen.Subject, stolen.User = "3", "id-user9"
	is(t, "nobody's", s.Write(ctx, func(w identity.StoreWriter) error { return w.PutLink(ctx, stolen) }), identity.ErrNotFound)
	_, err = s.Link(ctx, "https://id.example.net", "1")
	is(t, "of another issuer", err, identity.ErrNotFound)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveLink(ctx, l.Issuer, "1") })
	_, err = s.Link(ctx, l.Issuer, "1")
	is(t, "removed", err, identity.ErrNotFound)
	is(t, "removed twice", s.Write(ctx, func(w identity.StoreWriter) error { return w.RemoveLink(ctx, l.Issuer, "1") }), identity.ErrNotFound)
	if all, err = s.Links(ctx, "id-user2"); err != nil || len(all) != 0 {
		t.Errorf("links of another: %v, %v", all, err)
	}
}
