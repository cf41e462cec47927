// Package storetest is the contract of tokens.Store as a test.
package storetest

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"trivium/identity"
	"trivium/tokens"
)

// Run checks the Store that open returns, an empty one at each call.
func Run(t *testing.T, open func(*testing.T) tokens.Store) {
	ctx := context.Background()
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	full := tokens.Row{ID: "a1", SecretHash: []byte{1, 2}, User: "u1", JID: "u1@example.org", Label: "phone",
		Scopes: []tokens.Scope{tokens.ScopeFTP, tokens.ScopeXMPP}, Path: "/home/u1/in",
		From:      []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		StoredKey: []byte{3}, ServerKey: []byte{4}, CreatedAt: at, ExpiresAt: at.Add(time.Hour)}
	bare := tokens.Row{ID: "b2", SecretHash: []byte{5}, User: "u2", JID: "u2@example.org",
		Scopes: []tokens.Scope{tokens.ScopeAPI}, CreatedAt: at.Add(time.Second)}

	filled := func(t *testing.T) tokens.Store {
		s := open(t)
		for _, r := range []tokens.Row{full, bare} {
			if err := s.Put(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}

	t.Run("what is put comes back", func(t *testing.T) {
		s := filled(t)
		for _, want := range []tokens.Row{full, bare} {
			got, err := s.Get(ctx, want.ID)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	})
	t.Run("an ID stands once", func(t *testing.T) {
		if err := filled(t).Put(ctx, full); !errors.Is(err, identity.ErrExists) {
			t.Errorf("got %v, want ErrExists", err)
		}
	})
	t.Run("lists one user's and everybody's, oldest first", func(t *testing.T) {
		s := filled(t)
		for user, want := range map[identity.UserID][]string{"u1": {"a1"}, "u2": {"b2"}, "": {"a1", "b2"}, "u3": nil} {
			rows, err := s.List(ctx, user)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
			if !reflect.DeepEqual(ids, want) {
				t.Errorf("user %q: got %v, want %v", user, ids, want)
			}
		}
	})
	t.Run("removed is gone", func(t *testing.T) {
		s := filled(t)
		if err := s.Remove(ctx, "a1", "unknown"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(ctx, "a1"); !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		if _, err := s.Get(ctx, "b2"); err != nil {
			t.Errorf("the other one: %v", err)
		}
	})
	t.Run("last use", func(t *testing.T) {
		s := filled(t)
		use := tokens.Use{At: at.Add(time.Minute), Remote: "192.0.2.1", Protocol: identity.ProtocolFTP, Agent: "lftp"}
		if err := s.Used(ctx, map[string]tokens.Use{"b2": use, "unknown": use}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(ctx, "b2"); err != nil || got.Use != use {
			t.Errorf("got %+v, %v, want %+v", got.Use, err, use)
		}
	})
}
