package storetest

import (
	"encoding/xml"
	"testing"

	"trivium/identity"
	"trivium/xmpp/private"
	"trivium/xmpp/vcard"
)

// VCard is the contract of vcard.Store; open returns an empty one.
func VCard(t *testing.T, open func(*testing.T) vcard.Store) {
	s := open(t)
	for _, step := range []struct {
		owner identity.UserID
		card  []byte
	}{{alice, []byte("<vCard/>")}, {alice, []byte("<vCard>2</vCard>")}, {bob, []byte("b")}, {alice, nil}} {
		if err := s.PutVCard(t.Context(), step.owner, step.card); err != nil {
			t.Fatal(err)
		}
		if got, err := s.VCard(t.Context(), step.owner); string(got) != string(step.card) || (got == nil) != (step.card == nil) || err != nil {
			t.Errorf("%s has %q, %v; want %q", step.owner, got, err, step.card)
		}
	}
	if got, err := s.VCard(t.Context(), bob); string(got) != "b" || err != nil {
		t.Errorf("bob has %q, %v", got, err)
	}
}

// Private is the contract of private.Store; open returns an empty one.
func Private(t *testing.T, open func(*testing.T) private.Store) {
	s, ctx := open(t), t.Context()
	one, two := xml.Name{Space: "urn:1", Local: "x"}, xml.Name{Space: "urn:2", Local: "x"}
	put := func(owner identity.UserID, n xml.Name, b []byte) {
		t.Helper()
		if err := s.PutPrivate(ctx, owner, n, b); err != nil {
			t.Fatal(err)
		}
	}
	want := func(owner identity.UserID, n xml.Name, text string, count int) {
		t.Helper()
		if got, err := s.Private(ctx, owner, n); string(got) != text || err != nil {
			t.Errorf("%s has %q, %v; want %q", owner, got, err, text)
		}
		if got, err := s.CountPrivate(ctx, owner); got != count || err != nil {
			t.Errorf("%s has %d, %v; want %d", owner, got, err, count)
		}
	}
	want(alice, one, "", 0)
	put(alice, one, []byte("1"))
	put(alice, one, []byte("1a"))
	put(alice, two, []byte("2"))
	put(bob, one, []byte("b"))
	want(alice, one, "1a", 2)
	want(alice, two, "2", 2)
	put(alice, one, nil)
	want(alice, one, "", 1)
	put(alice, xml.Name{}, nil)
	want(alice, two, "", 0)
	want(bob, one, "b", 1)
}
