package tokens_test

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
)

var root = identity.Actor{Level: identity.LevelRoot, Via: "cli"}

type fixture struct {
	tokens   *tokens.Service
	verifier *tokens.Verifier
	identity *identity.Service
	now      time.Time
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	ctx := context.Background()
	db := sqltest.Migrated(t, identitystore.Migrate, tokenstore.Migrate)
	f := &fixture{now: time.Now()}
	f.verifier = tokens.NewVerifier(tokenstore.New(db), func() time.Time { return f.now })
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	var err error
	f.identity, err = identity.New(ctx, identity.Options{Store: identitystore.New(db), Tokens: f.verifier, Log: slog.New(slog.DiscardHandler),
		Domain: "example.org", SealKey: key, DefaultLevel: identity.LevelUser, SCRAMIterations: 4096})
	if err != nil {
		t.Fatal(err)
	}
	f.tokens = tokens.New(f.verifier, f.identity, "example.org")
	for _, login := range []string{"alice", "bob"} {
		if _, err := f.identity.AddUser(ctx, root, identity.NewUser{Login: login, Password: identity.NewSecret("correct horse battery")}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *fixture) issue(t *testing.T, r tokens.Request) (tokens.Token, identity.Secret) {
	t.Helper()
	tok, text, err := f.tokens.Issue(context.Background(), root, r)
	if err != nil {
		t.Fatal(err)
	}
	return tok, text
}

func TestVerify(t *testing.T) {
	f := setUp(t)
	ctx := context.Background()
	tok, text := f.issue(t, tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP, tokens.ScopeFilesRead},
		TTL: time.Hour, Path: "/home/alice/in", From: []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.9/120")}})
	if !f.verifier.IsToken(text) || f.verifier.IsToken(identity.NewSecret("a password")) {
		t.Error("IsToken does not know a token from a password")
	}
	g, err := f.verifier.VerifyToken(ctx, text, "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	if g.TokenID != tok.ID || g.JID != "alice@example.org" || !slices.Equal(g.Roads, []identity.Road{identity.RoadFTP}) ||
		g.API || g.Admin || g.Files != identity.FilesRead || g.Path != "/home/alice/in" {
		t.Errorf("grant %+v", g)
	}
	for name, remote := range map[string]string{"from elsewhere": "198.51.100.1", "from nowhere": ""} {
		if _, err := f.verifier.VerifyToken(ctx, text, remote); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.verifier.VerifyToken(ctx, text, "::ffff:192.0.2.7"); err != nil {
		t.Errorf("v4-mapped: %v", err)
	}

	t.Run("no changed character is accepted", func(t *testing.T) {
		s := text.Reveal()
		for i := len(tokens.Prefix); i < len(s); i++ {
			b := []byte(s)
			b[i] = "AB"[subtle.ConstantTimeByteEq(b[i], 'A')]
			if _, err := f.verifier.VerifyToken(ctx, identity.NewSecret(string(b)), "192.0.2.7"); err == nil {
				t.Fatalf("character %d", i)
			}
		}
	})
	t.Run("an expired one is refused", func(t *testing.T) {
		f.now = f.now.Add(time.Hour)
		if _, err := f.verifier.VerifyToken(ctx, text, "192.0.2.7"); !errors.Is(err, identity.ErrCredentials) {
			t.Error(err)
		}
		if err := f.verifier.TokenValid(ctx, tok.ID); !errors.Is(err, identity.ErrExpired) {
			t.Error(err)
		}
	})
}

func TestSCRAMKeys(t *testing.T) {
	f := setUp(t)
	ctx := context.Background()
	tok, text := f.issue(t, tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeXMPP}})
	f.issue(t, tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}}) // no xmpp: no keys
	a, err := f.identity.User(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := f.verifier.TokenKeys(ctx, a.ID, "192.0.2.1")
	if err != nil || len(keys) != 1 || keys[0].Grant.TokenID != tok.ID {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	salt, n, err := f.identity.SCRAMParameters(ctx, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, text.Reveal(), salt, n, 32)
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha256.New, salted)
	m.Write([]byte("Client Key"))
	if stored := sha256.Sum256(m.Sum(nil)); !slices.Equal(stored[:], keys[0].StoredKey) {
		t.Error("the key is not that of the token under the account's salt (RFC 5802 section 3)")
	}
}

func TestRights(t *testing.T) {
	f := setUp(t)
	ctx := context.Background()
	req := tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}}
	for name, tt := range map[string]struct {
		by  identity.Actor
		err error
	}{
		"oneself":             {identity.Actor{User: "alice", Level: identity.LevelUser}, nil},
		"oneself by address":  {identity.Actor{User: "alice@example.org", Level: identity.LevelUser}, nil},
		"somebody else":       {identity.Actor{User: "bob", Level: identity.LevelUser}, identity.ErrRefused},
		"nobody":              {identity.Actor{}, identity.ErrRefused},
		"a moderator":         {identity.Actor{User: "m", Level: identity.LevelModerator}, identity.ErrRefused},
		"an administrator":    {identity.Actor{User: "a", Level: identity.LevelAdmin}, nil},
		"the machine's owner": {root, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tok, _, err := f.tokens.Issue(ctx, tt.by, req)
			if !errors.Is(err, tt.err) {
				t.Fatalf("issue: %v, want %v", err, tt.err)
			}
			if err != nil {
				tok, _ = f.issue(t, req)
			}
			if err := f.tokens.Revoke(ctx, tt.by, tok.ID); !errors.Is(err, tt.err) {
				t.Errorf("revoke: %v, want %v", err, tt.err)
			}
		})
	}
}

func TestIssueRefuses(t *testing.T) {
	f := setUp(t)
	for name, tt := range map[string]struct {
		r   tokens.Request
		err error
	}{
		"unknown user":     {tokens.Request{User: "nobody", Scopes: []tokens.Scope{tokens.ScopeFTP}}, identity.ErrNotFound},
		"unknown scope":    {tokens.Request{User: "alice", Scopes: []tokens.Scope{"everything"}}, identity.ErrInvalid},
		"no scope":         {tokens.Request{User: "alice"}, identity.ErrInvalid},
		"no road":          {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFilesRead}}, identity.ErrInvalid},
		"negative TTL":     {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}, TTL: -1}, identity.ErrInvalid},
		"relative path":    {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}, Path: "in"}, identity.ErrInvalid},
		"path with ..":     {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}, Path: "/home/alice/.."}, identity.ErrInvalid},
		"control in label": {tokens.Request{User: "alice", Scopes: []tokens.Scope{tokens.ScopeFTP}, Label: "a\x1bb"}, identity.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := f.tokens.Issue(context.Background(), root, tt.r); !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
		})
	}
}

func TestListAndRevoke(t *testing.T) {
	f := setUp(t)
	ctx := context.Background()
	one, text := f.issue(t, tokens.Request{User: "alice", Label: "phone", Scopes: []tokens.Scope{tokens.ScopeXMPP, tokens.ScopeFTP, tokens.ScopeFTP}})
	f.issue(t, tokens.Request{User: "bob", Scopes: []tokens.Scope{tokens.ScopeAPI}})
	if want := []tokens.Scope{tokens.ScopeFTP, tokens.ScopeXMPP}; !slices.Equal(one.Scopes, want) {
		t.Errorf("scopes %v, want %v", one.Scopes, want)
	}
	f.verifier.TokenUsed(ctx, one.ID, f.now, nil)
	list, err := f.tokens.List(ctx, "alice")
	if err != nil || len(list) != 1 || list[0].ID != one.ID || list[0].Owner != "alice" || list[0].LastUsed == nil {
		t.Fatalf("%+v, %v", list, err)
	}
	if all, err := f.tokens.List(ctx, ""); err != nil || len(all) != 2 {
		t.Errorf("%d in all, %v", len(all), err)
	}
	if err := f.tokens.Revoke(ctx, root, one.ID, "ffff"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("with an unknown one: %v", err)
	}
	if _, err := f.verifier.VerifyToken(ctx, text, "192.0.2.1"); err != nil {
		t.Errorf("all or none: %v", err)
	}
	if err := f.tokens.Revoke(ctx, root, one.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.verifier.VerifyToken(ctx, text, "192.0.2.1"); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("after revoking: %v", err)
	}
	rows, err := f.identity.Audit(ctx, identity.AuditFilter{Event: "token.*"})
	if err != nil || len(rows) != 3 {
		t.Errorf("%d audit rows, %v", len(rows), err)
	}
	for _, r := range rows {
		if strings.Contains(r.Detail, text.Reveal()) {
			t.Error("the audit log has the secret")
		}
	}
}
