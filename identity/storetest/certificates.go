package storetest

import (
	"context"
	"testing"

	"trivium/identity"
)

func certificates(t *testing.T, s identity.Store) {
	ctx := t.Context()
	put(t, s, newUser("user1", 1), newUser("user2", 2))
	one := identity.CertificateRow{User: "id-user1", Fingerprint: "01", Label: "one é", DER: []byte{0, 255}, Manages: true, AddedAt: at(1),
		UsedAt: at(2), UsedProtocol: identity.ProtocolFTP, UsedRemote: "192.0.2.1"}
	two := identity.CertificateRow{User: "id-user1", Fingerprint: "02", Label: "two", DER: []byte{1}, AddedAt: at(3)}
	shared := identity.CertificateRow{User: "id-user2", Fingerprint: "01", Label: "one é", DER: []byte{0, 255}, AddedAt: at(4)}
	add := func(c identity.CertificateRow) error {
		return s.Write(ctx, func(w identity.StoreWriter) error { return w.AddCertificate(ctx, c) })
	}
	before := get(t, s, "user1").ChangeSeq
	for _, c := range []identity.CertificateRow{two, one, shared} {
		if err := add(c); err != nil {
			t.Fatal(err)
		}
	}
	seq := get(t, s, "user1").ChangeSeq
	if seq <= before {
		t.Errorf("ChangeSeq %d did not rise above %d", seq, before)
	}
	is(t, "the same label", add(identity.CertificateRow{User: "id-user1", Fingerprint: "03", Label: "two", DER: []byte{1}}), identity.ErrExists)
	is(t, "the same certificate", add(identity.CertificateRow{User: "id-user1", Fingerprint: "01", Label: "three", DER: []byte{1}}), identity.ErrExists)
	is(t, "of nobody", add(identity.CertificateRow{User: "id-none", Fingerprint: "01", Label: "x", DER: []byte{1}}), identity.ErrNotFound)

	list, err := s.Certificates(ctx, "id-user1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "every field, by label", list, []identity.CertificateRow{one, two})
	got, err := s.Certificate(ctx, "id-user1", "02")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "one", got, two)
	for _, c := range []struct {
		user        identity.UserID
		fingerprint string
	}{{"id-user2", "02"}, {"id-user1", "09"}, {"", "01"}} {
		_, err := s.Certificate(ctx, c.user, c.fingerprint)
		is(t, "another's", err, identity.ErrNotFound)
	}
	for limit, want := range map[int][]identity.UserID{1: {"id-user1"}, 5: {"id-user1", "id-user2"}} {
		owners, err := s.CertificateOwners(ctx, "01", limit)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "owners", owners, want)
	}

	used := two
	used.UsedAt, used.UsedProtocol, used.UsedRemote = at(9), identity.ProtocolXMPP, "2001:db8::1"
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.UseCertificate(ctx, used) })
	got, err = s.Certificate(ctx, "id-user1", "02")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "used", got, used)
	equal(t, "a use is no change of the account", get(t, s, "user1").ChangeSeq, seq)
	is(t, "the use of what is gone", s.Write(ctx, func(w identity.StoreWriter) error {
		return w.UseCertificate(ctx, identity.CertificateRow{User: "id-user1", Fingerprint: "09"})
	}), identity.ErrNotFound)

	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.RemoveCertificates(ctx, "id-user1", "01", "09")
	})
	list, err = s.Certificates(ctx, "id-user1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "one is left", list, []identity.CertificateRow{used})
	if now := get(t, s, "user1").ChangeSeq; now <= seq {
		t.Error("a removal is a change of the account")
	}
	owners, err := s.CertificateOwners(ctx, "01", 5)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "another's stays", owners, []identity.UserID{"id-user2"})
}
