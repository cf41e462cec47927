package confirm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/confirm"
	. "trivium/xmpp/xmpptest"
)

var question = identity.ChatQuestion{Login: "alice", Domain: Host, Code: "ABC-DEF", Method: "POST",
	URL: "https://example.org/login?a=1&b", From: "192.0.2.7, <Firefox>"}

func start(t *testing.T) (*Site, *confirm.Confirm) {
	c := confirm.New()
	return Start(t, Options{Modules: func(*sqldb.DB, *identity.Service) []xmpp.Module { return []xmpp.Module{c} }}), c
}

// asked runs a question; the answer comes on the channel.
type answer struct {
	yes bool
	err error
}

func ask(t *testing.T, c *confirm.Confirm, q identity.ChatQuestion) <-chan answer {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	t.Cleanup(cancel)
	got := make(chan answer, 1)
	go func() {
		yes, err := c.Confirm(ctx, q)
		got <- answer{yes, err}
	}()
	return got
}

// idOf reads the id of an IQ that has come.
func idOf(t *testing.T, text string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text[strings.LastIndex(text, "<iq"):], "id='")
	id, _, ok2 := strings.Cut(rest, "'")
	if !ok || !ok2 {
		t.Fatalf("no id in %q", text)
	}
	return id
}

func TestByIQ(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	alice, bob := s.Online("alice", "phone"), s.Online("bob", "laptop")
	for name, tt := range map[string]struct {
		reply string
		want  bool
	}{
		"yes": {"<iq type='result' id='ID' to='" + Host + "'/>", true},
		"no":  {"<iq type='error' id='ID' to='" + Host + "'><error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", false},
	} {
		got := ask(t, c, question)
		text := alice.Expect("/></iq>")
		Has(t, "alice", text, "<iq type='get'", "from='"+Host+"'", "to='"+alice.JID+"'", "<confirm xmlns='http://jabber.org/protocol/http-auth' id='ABC-DEF' method='POST' url='https://example.org/login?a=1&amp;b'/>")
		reply := strings.ReplaceAll(tt.reply, "ID", idOf(t, text))
		bob.Then(reply) // somebody else's answer counts for nothing
		alice.Send(reply)
		if a := <-got; a.err != nil || a.yes != tt.want {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// A client that does not know the protocol, and the person at it.
func TestByMessage(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	alice, bob := s.Online("alice", "phone"), s.Online("bob", "laptop")
	for _, tt := range []struct {
		what, reply string
		want        bool
	}{
		{"the protocol's answer", "<message to='" + Host + "'><thread>T</thread><confirm xmlns='http://jabber.org/protocol/http-auth' id='ABC-DEF' method='POST' url='x'/></message>", true},
		{"the protocol's no", "<message to='" + Host + "' type='error'><thread>T</thread><error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>", false},
		{"the code", "<message to='" + Host + "' type='chat'><body>abc def</body></message>", true},
		{"no", "<message to='" + Host + "' type='chat'><body> No </body><thread>T</thread></message>", false},
	} {
		got := ask(t, c, question)
		text := alice.Expect("/></iq>")
		alice.Send("<iq type='error' id='" + idOf(t, text) + "' to='" + Host + "'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
		text = alice.Expect("</message>")
		Has(t, "alice", text, "<message type='normal' from='"+Host+"'", "<body>Somebody is logging in to https://example.org/login?a=1&amp;b as you, from 192.0.2.7, &lt;Firefox&gt;.", "the code ABC-DEF", "<confirm ", "<no-store ")
		_, rest, _ := strings.Cut(text, "<thread>")
		thread, _, _ := strings.Cut(rest, "</thread>")
		reply := strings.ReplaceAll(tt.reply, "<thread>T", "<thread>"+thread)
		if out := bob.Then(reply)[0]; tt.want && !strings.Contains(out, "type='error'") {
			t.Errorf("%s of bob was taken: %q", tt.what, out)
		}
		alice.Send("<message to='" + Host + "'><thread>" + thread + "</thread><body>ABC-DEG</body></message>") // a wrong code
		alice.Send(reply)
		if a := <-got; a.err != nil || a.yes != tt.want {
			t.Errorf("%s: %+v", tt.what, a)
		}
	}
	if out := alice.Then("<message to='" + Host + "' id='m'><body>ABC-DEF</body></message>")[0]; !strings.Contains(out, "type='error'") {
		t.Errorf("an answer to nothing: %q", out)
	}
}

func TestNobodyAndNoAnswer(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	if c.Reachable("alice", Host) {
		t.Error("reachable without a client")
	}
	if _, err := c.Confirm(t.Context(), question); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("nobody there: %v", err)
	}
	s.Login("alice", "quiet") // bound, and not available
	if c.Reachable("alice", Host) {
		t.Error("reachable by a client that takes no messages")
	}
	alice := s.Online("alice", "phone")
	if !c.Reachable("alice", Host) {
		t.Error("not reachable")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Confirm(ctx, question); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	alice.Settle()
}
