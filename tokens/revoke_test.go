package tokens_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
)

// counted counts how often tokens are read.
type counted struct {
	tokens.Store
	reads atomic.Int64
}

func (c *counted) Get(ctx context.Context, id string) (tokens.Row, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, id)
}

// node is one of several services on one store.
type node struct {
	*identity.Service
	tokens *tokens.Service
	store  *counted
}

// nodes runs n services on one store, each with a poll of its own, until the test ends.
func nodes(t *testing.T, n int) []*node {
	t.Helper()
	db := sqltest.Migrated(t, identitystore.Migrate, tokenstore.Migrate)
	var all []*node
	for range n {
		x := &node{store: &counted{Store: tokenstore.New(db)}}
		v := tokens.NewVerifier(x.store, nil)
		var err error
		x.Service, err = identity.New(t.Context(), identity.Options{Store: identitystore.New(db), Tokens: v, Log: slog.New(slog.DiscardHandler),
			Domain: "example.org", SealKey: make([]byte, 32), DefaultLevel: identity.LevelUser, SCRAMIterations: 4096})
		if err != nil {
			t.Fatal(err)
		}
		x.tokens = tokens.New(v, x.Service, "example.org")
		all = append(all, x)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- x.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	return all
}

func (n *node) login(t *testing.T, secret identity.Secret) (*identity.Session, error) {
	t.Helper()
	ses, err := n.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolFTP, TLS: "TLS 1.3",
		Remote: netip.MustParseAddrPort("192.0.2.1:4000"), Local: netip.MustParseAddrPort("192.0.2.99:21")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: secret})
	return ses, err
}

// What one process takes away ends in all of them, and a token that is known to be good is read from
// the store no more.
func TestRevokedElsewhere(t *testing.T) {
	t.Parallel()
	all := nodes(t, 2)
	here, there := all[0], all[1]
	if _, err := here.AddUser(t.Context(), root, identity.NewUser{Login: "alice"}); err != nil {
		t.Fatal(err)
	}
	tok, secret, err := here.tokens.Issue(t.Context(), root, tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}})
	if err != nil {
		t.Fatal(err)
	}
	var ses *identity.Session
	deadline := time.Now().Add(10 * time.Second)
	for {
		before := there.store.reads.Load()
		if ses, err = there.login(t, secret); err != nil {
			t.Fatal(err)
		}
		if there.store.reads.Load() == before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("each log-in reads the token")
		}
		ses.Close()
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := here.tokens.Revoke(t.Context(), root, tok.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := here.login(t, secret); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("here, a log-in after it: %v", err)
	}
	select {
	case <-ses.Ended():
	case <-time.After(5 * time.Second):
		t.Fatal("the session in the other process goes on")
	}
	if why := ses.Reason(); why.Code != identity.ReasonRevoked {
		t.Errorf("it ended because of %q", why.Code)
	}
	if _, err := there.login(t, secret); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("there, a log-in after it: %v", err)
	}
}
