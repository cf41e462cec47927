package identity

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// benchSessions are listed in the benchmarks of the list, of a tenth as many accounts.
const benchSessions = 100_000

// crowd is a registry with many sessions on all roads.
func crowd(b testing.TB) *Registry {
	b.Helper()
	classes, err := newClassTable([]Class{{Name: "lan", From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/9")}}}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	r := newRegistry(Options{Node: "1", Now: time.Now}, classes)
	addr := netip.MustParseAddr("10.0.0.0")
	protocols := []Protocol{ProtocolFTP, ProtocolXMPP, ProtocolDAV, ProtocolAPI}
	for i := range benchSessions {
		addr = addr.Next()
		s, err := r.Open(b.Context(), Opening{Protocol: protocols[i%len(protocols)], Remote: netip.AddrPortFrom(addr, 4000), UserAgent: "FileZilla 3.69"})
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("user%d", i%(benchSessions/10))
		a := &attachment{held: LevelUser, creds: Credentials{UserID: UserID(name), User: name, Login: UserName(name), Level: LevelUser, LoginAt: time.Now()}}
		if _, err := r.attach(s, a); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

func BenchmarkListFiltered(b *testing.B) {
	r := crowd(b)
	admin := LevelAdmin
	for _, f := range []struct {
		name   string
		filter Filter
		key    SortKey
		limit  int
	}{
		{"a user by name", Filter{User: "user77"}, SortStarted, 0},
		{"a user", Filter{Owner: "user77"}, SortStarted, 0},
		{"an address block", Filter{From: netip.MustParsePrefix("10.1.2.0/24")}, SortStarted, 0},
		{"a level that nobody has", Filter{Level: &admin}, SortStarted, 0},
		{"a text", Filter{Text: "user7777"}, SortStarted, 0},
		{"a page of a protocol by activity", Filter{Protocol: ProtocolXMPP}, SortActive, 50},
		{"a page of all by user", Filter{}, SortUser, 50},
	} {
		b.Run(f.name, func(b *testing.B) {
			began := cpuUsed()
			defer func() { b.ReportMetric(float64(cpuUsed()-began)/float64(b.N)/1e6, "cpu-ms/op") }()
			for b.Loop() {
				if p := r.Page(f.filter, f.key, true, 0, f.limit); p.Total == 0 && f.filter.Level == nil {
					b.Fatal("nothing is found")
				}
			}
		})
	}
}

func BenchmarkKickUser(b *testing.B) {
	r := crowd(b)
	n := 0
	began := cpuUsed()
	defer func() { b.ReportMetric(float64(cpuUsed()-began)/float64(b.N)/1e6, "cpu-ms/op") }()
	for b.Loop() {
		if n++; n == benchSessions/10 {
			b.Skip("all sessions have been ended")
		}
		if gone := r.EndWhere(Filter{Owner: UserID(fmt.Sprintf("user%d", n))}, Reason{Code: ReasonEnded}); len(gone) != 10 {
			b.Fatalf("%d sessions ended", len(gone))
		}
	}
}

// cpuUsed is what the process has used so far: other programs on the machine do not count.
func cpuUsed() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
