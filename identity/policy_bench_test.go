package identity

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manyRules is a table of n rules of all kinds, a tenth of them narrowed.
func manyRules(tb testing.TB, n int) *policyTable {
	tb.Helper()
	rules := map[string]string{}
	for i := 0; len(rules) < n; i++ {
		pattern := []string{"web:/part%d/*/page", "file:/groups/g%d/**", "file:/home/u%d/secret/**", "ftp:STOR:/pub/in%d/**", "ftp:WRITE:/pub/in%d/*/x",
			"xmpp:service%d:create", "web:/part%d/**", "file:/pub/*/d%d", "ftp:ALL:/groups/g%d/**", "file:/pub/%d/** for user:u%[1]d"}[i%10]
		rules[fmt.Sprintf(pattern, i)] = "staff"
	}
	o := Options{DefaultRequired: LevelLoggedIn}
	t, err := newPolicyTable(rules, o.defaultLevels(), "example.org", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// BenchmarkDecision is a decision among 10,000 rules, which is to take less than 200 ns. cpu-ns/op is
// the processor's time: what else runs on the machine does not count.
func BenchmarkDecision(b *testing.B) {
	t := manyRules(b, 10000)
	who := subject{id: "a", login: "alice", domain: "example.org", gid: 10000, group: "alice", gids: []uint32{10001, 10002}, groups: []string{"staff", "ants"}}
	for _, r := range []Resource{"ftp:STOR:/pub/in1003/x", "ftp:STOR", "file:/home/alice/a/b/c", "file:/pub/x/d1007", "web:/part1000/a/page", "web:/files/a", "xmpp:message", "login:web"} {
		b.Run(strings.ReplaceAll(string(r), "/", "_"), func(b *testing.B) {
			b.ReportAllocs()
			begun := cpu()
			for b.Loop() {
				t.decide(&who, r)
			}
			b.ReportMetric(float64(cpu()-begun)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is what the process has used of the processors.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
