// Package storetest is the contract of xmpp.Store as tests: every implementation passes Run.
package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"trivium/identity"
	"trivium/xmpp"
)

// Run checks the stores that open returns, each empty and for one test.
func Run(t *testing.T, open func(*testing.T) xmpp.Store) {
	for _, tt := range []struct {
		name string
		run  func(*testing.T, xmpp.Store)
	}{
		{"empty", empty},
		{"round trip", roundTrip},
		{"replace and remove", replace},
		{"owners are apart", owners},
		{"an error undoes all", undo},
		{"a transaction reads what it wrote", readsOwn},
		{"version", version},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

const alice, bob identity.UserID = "a", "b"

func put(t *testing.T, s xmpp.Store, owner identity.UserID, list ...xmpp.Contact) {
	t.Helper()
	err := s.Write(t.Context(), func(w xmpp.StoreWriter) error {
		for _, c := range list {
			if err := w.PutContact(t.Context(), owner, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("writing: %v", err)
	}
}

func roster(t *testing.T, s xmpp.StoreReader, owner identity.UserID) []xmpp.Contact {
	t.Helper()
	r, err := s.Roster(t.Context(), owner)
	if err != nil {
		t.Fatalf("reading the roster: %v", err)
	}
	return r.Contacts
}

func empty(t *testing.T, s xmpp.Store) {
	r, err := s.Roster(t.Context(), alice)
	if err != nil || r.Version != "" || len(r.Contacts) != 0 {
		t.Errorf("roster of nobody: %+v, %v", r, err)
	}
	if _, err := s.Contact(t.Context(), alice, "b@x"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("no contact: %v", err)
	}
	if l, u, err := s.CountContacts(t.Context(), alice); l != 0 || u != 0 || err != nil {
		t.Errorf("counts %d, %d, %v", l, u, err)
	}
}

func roundTrip(t *testing.T, s xmpp.Store) {
	want := []xmpp.Contact{
		{JID: "b@x", Name: "B & 'b' \"<é\u200d>", Groups: []string{"a", "b, c", "ü"}, State: xmpp.SubscriptionBoth, Listed: true},
		{JID: "c@x", State: xmpp.PendingIn, Request: []byte("<presence/>")},
		{JID: "d@x", State: xmpp.SubscriptionTo | xmpp.PendingIn | xmpp.PreApproved, Listed: true, Request: []byte{0, 255}},
	}
	put(t, s, alice, want[2], want[0], want[1])
	if got := roster(t, s, alice); !reflect.DeepEqual(got, want) {
		t.Errorf("roster\n%+v, want\n%+v", got, want)
	}
	for _, c := range want {
		if got, err := s.Contact(t.Context(), alice, c.JID); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("contact %+v, %v; want %+v", got, err, c)
		}
	}
	if l, u, err := s.CountContacts(t.Context(), alice); l != 2 || u != 1 || err != nil {
		t.Errorf("counts %d, %d, %v", l, u, err)
	}
}

func replace(t *testing.T, s xmpp.Store) {
	put(t, s, alice, xmpp.Contact{JID: "b@x", Name: "old", Groups: []string{"g"}, State: xmpp.PendingIn, Request: []byte("r")})
	want := xmpp.Contact{JID: "b@x", Name: "new", State: xmpp.SubscriptionFrom, Listed: true}
	put(t, s, alice, want)
	if got := roster(t, s, alice); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("after a second put: %+v", got)
	}
	for range 2 { // the second time there is nothing to remove
		err := s.Write(t.Context(), func(w xmpp.StoreWriter) error { return w.RemoveContact(t.Context(), alice, "b@x") })
		if err != nil {
			t.Fatalf("removing: %v", err)
		}
	}
	if got := roster(t, s, alice); len(got) != 0 {
		t.Errorf("after removal: %+v", got)
	}
}

func owners(t *testing.T, s xmpp.Store) {
	put(t, s, alice, xmpp.Contact{JID: "c@x", Name: "a's"})
	put(t, s, bob, xmpp.Contact{JID: "c@x", Name: "b's"})
	err := s.Write(t.Context(), func(w xmpp.StoreWriter) error { return w.RemoveContact(t.Context(), alice, "c@x") })
	if err != nil {
		t.Fatal(err)
	}
	if got := roster(t, s, bob); len(got) != 1 || got[0].Name != "b's" {
		t.Errorf("the other owner's roster: %+v", got)
	}
}

func undo(t *testing.T, s xmpp.Store) {
	cause := errors.New("no")
	err := s.Write(t.Context(), func(w xmpp.StoreWriter) error {
		if err := w.PutContact(t.Context(), alice, xmpp.Contact{JID: "b@x"}); err != nil {
			return err
		}
		if err := w.PutRosterVersion(t.Context(), alice, "1"); err != nil {
			return err
		}
		return cause
	})
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want the function's own", err)
	}
	if r, err := s.Roster(t.Context(), alice); err != nil || r.Version != "" || len(r.Contacts) != 0 {
		t.Errorf("after an error: %+v, %v", r, err)
	}
}

func readsOwn(t *testing.T, s xmpp.Store) {
	err := s.Write(t.Context(), func(w xmpp.StoreWriter) error {
		if err := w.PutContact(t.Context(), alice, xmpp.Contact{JID: "b@x", Listed: true}); err != nil {
			return err
		}
		if got := roster(t, w, alice); len(got) != 1 {
			t.Errorf("inside: %+v", got)
		}
		if l, _, err := w.CountContacts(t.Context(), alice); l != 1 || err != nil {
			t.Errorf("inside: %d, %v", l, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(over, func(xmpp.StoreWriter) error { return nil }); err == nil {
		t.Error("a write whose context is over was done")
	}
}

func version(t *testing.T, s xmpp.Store) {
	for _, v := range []string{"one", "two"} {
		err := s.Write(t.Context(), func(w xmpp.StoreWriter) error { return w.PutRosterVersion(t.Context(), alice, v) })
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.RosterVersion(t.Context(), alice); got != v || err != nil {
			t.Errorf("version %q, %v; want %q", got, err, v)
		}
	}
	if got, err := s.RosterVersion(t.Context(), bob); got != "" || err != nil {
		t.Errorf("version of another: %q, %v", got, err)
	}
}
