package identity_test

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
)

// cpu is what the process has used of all CPUs so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAuditedLogin is a log-in whose password is in the cache, and its end: two rows of the
// audit log and the account's last log-in, all written behind. The CPU is that of the writer, too.
func BenchmarkAuditedLogin(b *testing.B) {
	a := newAccounts(b)
	a.add("user1", identity.LevelUser)
	ctx := b.Context()
	from := netip.MustParseAddrPort("192.0.2.1:1000")
	login := func() {
		ses, err := a.Registry.Open(ctx, identity.Opening{Protocol: identity.ProtocolFTP, Holder: &told{}, Remote: from})
		if err != nil {
			b.Fatal(err)
		}
		if _, err = a.Login(ctx, ses, identity.Login{Method: identity.MethodPassword, Name: "user1", Secret: identity.NewSecret("correct horse user1")}); err != nil {
			b.Fatal(err)
		}
		ses.Close()
	}
	login()
	a.FlushBehind(ctx)
	used, n := cpu(b), 0
	for b.Loop() {
		login()
		if n++; n%512 == 0 { // as the writer does in a storm
			a.FlushBehind(ctx)
			if err := a.Poll(ctx); err != nil { // so that accounts are known, as in a process that runs
				b.Fatal(err)
			}
		}
	}
	a.FlushBehind(ctx)
	b.ReportMetric(float64(cpu(b)-used)/float64(n), "cpu-ns/op")
}

// BenchmarkAuditRows writes rows of log-ins as a storm of them does, through the queue and durable.
func BenchmarkAuditRows(b *testing.B) { sqltest.EachBench(b, benchmarkAuditRows) }

func benchmarkAuditRows(b *testing.B, on sqltest.Engine) {
	a := newAccounts(b, func(o *identity.Options) { o.Store = sqlstore.New(on.Migrated(b, sqlstore.Migrate)) })
	e := identity.AuditEvent{Event: "login.ok", Actor: "user1", Via: "ftp", Subject: "user1", Protocol: identity.ProtocolFTP,
		Method: identity.MethodPassword, Remote: "192.0.2.1:40000", Session: "1-abcdefghijklmnop", Result: "ok"}
	used, start, n := cpu(b), time.Now(), 0
	for b.Loop() {
		e.Time = time.Now()
		a.RecordBehind(e)
		if n++; n%2048 == 0 {
			a.FlushBehind(b.Context())
		}
	}
	a.FlushBehind(b.Context())
	b.ReportMetric(float64(cpu(b)-used)/float64(n), "cpu-ns/op")
	b.ReportMetric(float64(n)/time.Since(start).Seconds(), "rows/s")
	head, err := a.AuditHead(b.Context())
	if err != nil || head.ID < int64(n) {
		b.Fatalf("%d of %d rows are there: %v", head.ID, n, err)
	}
}
