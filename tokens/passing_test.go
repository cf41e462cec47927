package tokens_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"trivium/identity"
	"trivium/tokens"
)

// A passing token logs in while it lasts, stands in no list, and leaves two rows of the audit log.
func TestPassing(t *testing.T) {
	f := setUp(t)
	ctx := context.Background()
	alice := identity.Actor{User: "alice", Level: identity.LevelUser, Via: "web"}
	r := tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP, tokens.ScopeXMPP}, TTL: 30 * time.Second, Label: "connection test"}
	secret, end, err := f.tokens.Passing(ctx, alice, r)
	if err != nil {
		t.Fatal(err)
	}
	g, err := f.verifier.VerifyToken(ctx, secret, "192.0.2.7")
	if err != nil || !g.Passing {
		t.Fatalf("%+v, %v", g, err)
	}
	if err := f.verifier.TokenValid(ctx, g.TokenID); err != nil {
		t.Errorf("valid: %v", err)
	}
	if keys, err := f.verifier.TokenKeys(ctx, g.User, "192.0.2.7"); err != nil || len(keys) != 1 {
		t.Errorf("SCRAM keys: %d, %v", len(keys), err)
	}
	if list, err := f.tokens.List(ctx, "alice"); err != nil || len(list) != 0 {
		t.Errorf("the list has %v, %v", list, err)
	}
	if err := end(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := f.verifier.VerifyToken(ctx, secret, "192.0.2.7"); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("after its end: %v", err)
	}
	if err := f.verifier.TokenValid(ctx, g.TokenID); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("its sessions go on: %v", err)
	}
	rows, err := f.identity.Audit(ctx, identity.AuditFilter{Event: "token.*"})
	if err != nil || len(rows) != 2 {
		t.Errorf("audit: %v, %v", rows, err)
	}

	secret, _, err = f.tokens.Passing(ctx, alice, r)
	if err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(31 * time.Second)
	if _, err := f.verifier.VerifyToken(ctx, secret, "192.0.2.7"); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("after its time: %v", err)
	}
}

func TestPassingRefuses(t *testing.T) {
	f := setUp(t)
	alice := identity.Actor{User: "alice", Level: identity.LevelUser, Via: "web"}
	for name, tt := range map[string]struct {
		r    tokens.Request
		want error
	}{
		"for ever":         {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}}, identity.ErrInvalid},
		"for long":         {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}, TTL: time.Hour}, identity.ErrInvalid},
		"somebody else's":  {tokens.Request{User: "bob", Scopes: []tokens.Scope{tokens.ScopeFTP}, TTL: time.Second}, identity.ErrRefused},
		"administration":   {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeAdmin}, TTL: time.Second}, identity.ErrInvalid},
		"for no road":      {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFilesRead}, TTL: time.Second}, identity.ErrInvalid},
		"of nobody at all": {tokens.Request{User: "nobody-here", Scopes: []tokens.Scope{tokens.ScopeFTP}, TTL: time.Second}, identity.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := f.tokens.Passing(context.Background(), alice, tt.r); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}
