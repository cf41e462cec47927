package tokens_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
)

// benchUsers have a token each; the benchmark goes round among them.
const benchUsers = 1000

// BenchmarkLogin is a log-in by token from accept to close, over the identity API, with
// its rows of the audit log written before the clock stops. CPU counts all goroutines.
func BenchmarkLogin(b *testing.B) { sqltest.EachBench(b, benchmarkLogin) }

func benchmarkLogin(b *testing.B, e sqltest.Engine) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	db := e.Open(b)
	if err := errors.Join(identitystore.Migrate(ctx, db), tokenstore.Migrate(ctx, db)); err != nil {
		b.Fatal(err)
	}
	verifier := tokens.NewVerifier(tokenstore.New(db), nil)
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	store := identitystore.New(db)
	s, err := identity.New(ctx, identity.Options{Store: store, Tokens: verifier, Log: slog.New(slog.DiscardHandler),
		Domain: "example.org", SealKey: key, DefaultLevel: identity.LevelUser, SCRAMIterations: 4096})
	if err != nil {
		b.Fatal(err)
	}
	issue := tokens.New(verifier, s, "example.org")
	secrets := make([]identity.Secret, benchUsers)
	for i := range secrets {
		name := fmt.Sprintf("user%d", i)
		if _, err := s.AddUser(ctx, root, identity.NewUser{Login: name}); err != nil {
			b.Fatal(err)
		}
		if _, secrets[i], err = issue.Issue(ctx, root, tokens.Request{User: name, Scopes: []tokens.Scope{tokens.ScopeFTP}}); err != nil {
			b.Fatal(err)
		}
	}
	var ran sync.WaitGroup
	ran.Go(func() {
		if err := s.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	time.Sleep(1200 * time.Millisecond) // until the first look for changes, after which accounts may be kept
	remote, local := netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.99:21")
	login := func(i int) error {
		ses, err := s.Registry.Open(ctx, identity.Opening{Protocol: identity.ProtocolFTP, Remote: remote, Local: local, TLS: "TLS 1.3"})
		if err != nil {
			return err
		}
		defer ses.Close()
		_, err = s.Login(ctx, ses, identity.Login{Method: identity.MethodPassword, Name: fmt.Sprintf("user%d", i%benchUsers), Secret: secrets[i%benchUsers]})
		return err
	}
	for i := range benchUsers {
		if err := login(i); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	var n atomic.Int64
	began, cpu := time.Now(), cpuTime()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := login(int(n.Add(1))); err != nil {
				b.Error(err)
				return
			}
		}
	})
	stop()
	ran.Wait() // all that is written behind is written
	b.StopTimer()
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N)/1e3, "cpu-µs/op")
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "logins/s")
	b.ReportMetric(float64(b.N+benchUsers-written(b, db))/float64(b.N), "lost-rows/op")
}

// written is how many good log-ins the audit log has.
func written(b *testing.B, db *sqldb.DB) (n int) {
	rows, err := db.QueryContext(context.Background(), `SELECT count(*) FROM identity_audit WHERE event = 'login.ok'`)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
