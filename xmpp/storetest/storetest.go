// Package storetest is the contract of xmpp.Store as tests: every implementation passes Run.
package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

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
		{"tokens of clients", fast},
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

func fast(t *testing.T, s xmpp.Store) {
	at := func(sec int64) time.Time { return time.Unix(1_700_000_000+sec, 0).UTC() }
	one := xmpp.FASTClient{Agent: xmpp.UserAgent{ID: "1", Software: "S 'x'", Device: "é"}, Mechanism: "HT-SHA-256-NONE", Version: 1 << 40,
		Current: xmpp.FASTToken{Nonce: "a", Expires: at(1)}, Next: xmpp.FASTToken{Nonce: "b", Expires: at(2)}, Uses: 1 << 40, FirstSeen: at(3), LastSeen: at(4)}
	two := xmpp.FASTClient{Agent: xmpp.UserAgent{ID: "2"}, Mechanism: "HT-SHA-256-EXPR", LastSeen: at(5)}
	write := func(do func(w xmpp.StoreWriter) error) {
		t.Helper()
		if err := s.Write(t.Context(), do); err != nil {
			t.Fatal(err)
		}
	}
	list := func(owner identity.UserID) []xmpp.FASTClient {
		t.Helper()
		l, err := s.FASTClients(t.Context(), owner)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if _, err := s.FAST(t.Context(), alice, "1"); !errors.Is(err, identity.ErrNotFound) || len(list(alice)) != 0 {
		t.Errorf("of nobody: %v", err)
	}
	write(func(w xmpp.StoreWriter) error {
		if err := w.PutFAST(t.Context(), alice, one); err != nil {
			return err
		}
		if got, err := w.FAST(t.Context(), alice, "1"); err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("inside: %+v, %v", got, err)
		}
		return w.PutFAST(t.Context(), alice, two)
	})
	if got := list(alice); !reflect.DeepEqual(got, []xmpp.FASTClient{two, one}) {
		t.Errorf("%+v", got)
	}
	if _, err := s.FAST(t.Context(), bob, "1"); !errors.Is(err, identity.ErrNotFound) || len(list(bob)) != 0 {
		t.Errorf("another's: %v", err)
	}
	one.Current, one.Next, one.Uses = one.Next, xmpp.FASTToken{}, 0
	write(func(w xmpp.StoreWriter) error { return w.PutFAST(t.Context(), alice, one) })
	if got, err := s.FAST(t.Context(), alice, "1"); err != nil || !reflect.DeepEqual(got, one) {
		t.Errorf("after a second put: %+v, %v", got, err)
	}
	for range 2 {
		write(func(w xmpp.StoreWriter) error { return w.RemoveFAST(t.Context(), alice, "1") })
	}
	if got := list(alice); !reflect.DeepEqual(got, []xmpp.FASTClient{two}) {
		t.Errorf("after removal: %+v", got)
	}
}
