package mam_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	. "trivium/xmpp/xmpptest"
)

// BenchmarkMessage sends messages of 200 bytes from one client to another over TLS, a hundred at a
// time, and says what one costs server and clients together; the archive's part is the difference.
func BenchmarkMessage(b *testing.B) {
	for _, tt := range []struct{ name, hint string }{{"archived", "store"}, {"not archived", "no-store"}} {
		b.Run(tt.name, func(b *testing.B) {
			s := start(b, nil)
			alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
			Quiet(alice, bob)
			body := strings.Repeat("hello wo", 25)
			began := cpu()
			b.ResetTimer()
			for i := 0; i < b.N; {
				var text strings.Builder
				id := ""
				for range 100 {
					id = fmt.Sprintf("0123456789abcdef-%d", i)
					i++
					text.WriteString("<message type='chat' to='" + bob.JID + "' id='" + id + "'><body>" + body + "</body><" + tt.hint +
						" xmlns='urn:xmpp:hints'/><origin-id xmlns='urn:xmpp:sid:0' id='" + id + "'/></message>")
				}
				alice.Send(text.String())
				bob.Expect("<origin-id xmlns='urn:xmpp:sid:0' id='" + id + "'/>")
			}
			b.StopTimer()
			b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "cpu-µs/msg")
		})
	}
}

// cpu is what this process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
