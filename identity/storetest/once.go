package storetest

import (
	"context"
	"errors"
	"testing"

	"trivium/identity"
)

func onceRows(t *testing.T, s identity.Store) {
	ctx := t.Context()
	if _, err := s.Once(ctx, "a", "k"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("a request that there is not: %v", err)
	}
	add := func(o identity.Once) error {
		return s.Write(ctx, func(w identity.StoreWriter) error { return w.AddOnce(ctx, o) })
	}
	o := identity.Once{Asker: "a", Key: "k", Print: []byte{1, 2}, At: at(1)}
	for _, x := range []identity.Once{o, {Asker: "a", Key: "l", Print: []byte{3}, At: at(5)}, {Asker: "b", Key: "k", Print: []byte{4}, At: at(6)}} {
		if err := add(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(o); !errors.Is(err, identity.ErrExists) {
		t.Errorf("twice: %v", err)
	}
	got, err := s.Once(ctx, "a", "k")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "a request", got, o)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.AnswerOnce(ctx, "a", "k", []byte("sealed"))
	})
	o.Answer = []byte("sealed")
	if got, err = s.Once(ctx, "a", "k"); err != nil {
		t.Fatal(err)
	}
	equal(t, "a request with its answer", got, o)
	if n, err := s.CountOnce(ctx, "a"); n != 2 || err != nil {
		t.Errorf("%d requests, %v", n, err)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveOnce(ctx, "b", "k") })
	if err := s.Write(ctx, func(w identity.StoreWriter) error { return w.RemoveOnce(ctx, "b", "k") }); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.ForgetOnce(ctx, at(5)) })
	if n, err := s.CountOnce(ctx, "a"); n != 1 || err != nil {
		t.Errorf("%d requests are left, %v", n, err)
	}
}
