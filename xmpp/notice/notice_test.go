package notice_test

import (
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/notice"
	. "trivium/xmpp/xmpptest"
)

func TestTell(t *testing.T) {
	n := notice.New()
	s := Start(t, Options{Modules: func(*sqldb.DB, *identity.Service) []xmpp.Module { return []xmpp.Module{n} }})
	alice := s.Online("alice", "a")
	Must(t, n.Tell(t.Context(), Host, "alice", "A <log-in>", "Somebody's text & more\x00\n</body>"))
	Has(t, "the notice", alice.Expect("</message>"), "type='normal'", "from='example.org'", "A &lt;log-in&gt;", "</body></message>")
	alice.Settle() // the stream goes on
	if err := notice.New().Tell(t.Context(), Host, "alice", "x", "y"); err == nil {
		t.Error("told without a router")
	}
}
