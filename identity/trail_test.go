package identity_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
)

// logText collects a log.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A password typed in the field of the name is no name, so the log does not have it; a known name
// it has.
func TestLogHasKnownNamesAlone(t *testing.T) {
	ctx := context.Background()
	db := sqltest.Migrated(t, sqlstore.Migrate)
	var out logText
	s, err := identity.New(ctx, identity.Options{Store: sqlstore.New(db), Domain: "example.org", SealKey: make([]byte, 32),
		SCRAMIterations: 4096, Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddUser(ctx, identity.Actor{Level: identity.LevelRoot}, identity.NewUser{Login: "alice", Password: identity.NewSecret("correct-horse")}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tr0ub4dor", "alice"} {
		ses, err := s.Registry.Open(ctx, identity.Opening{Protocol: identity.ProtocolFTP})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Login(ctx, ses, identity.Login{Method: identity.MethodPassword, Name: name, Secret: identity.NewSecret("s3cret-word")}); err == nil {
			t.Fatalf("%s got in", name)
		}
		ses.Close()
	}
	text := out.String()
	if strings.Contains(text, "tr0ub4dor") || strings.Contains(text, "s3cret-word") {
		t.Errorf("the log has what was typed:\n%s", text)
	}
	if !strings.Contains(text, "user=alice") || !strings.Contains(text, "user=(unknown)") {
		t.Errorf("the log does not say who:\n%s", text)
	}
}

// TestLastLogin: of several log-ins before one write the last counts, and none after it is missed.
func TestLastLogin(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	for range 2 {
		for range 3 {
			h.clock.pass(time.Second)
			h.in(identity.ProtocolFTP, "alice", testPassword)
		}
		h.FlushBehind(t.Context())
		acc, err := h.UserByID(t.Context(), u.ID)
		if err != nil || !acc.LastLogin.Equal(h.clock.now()) {
			t.Errorf("last log-in %v, %v, want %v", acc.LastLogin, err, h.clock.now())
		}
	}
}
