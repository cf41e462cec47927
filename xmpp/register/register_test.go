package register_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/register"
	. "trivium/xmpp/xmpptest"
)

func start(t *testing.T, open, remove bool) *Site {
	return Start(t, Options{XMPP: func(o *xmpp.Options) { o.Config.ClientCertificates = true }, Modules: func(_ *sqldb.DB, svc *identity.Service) []xmpp.Module {
		return []xmpp.Module{register.New(register.Options{Accounts: svc, Open: open, Remove: remove})}
	}})
}

func query(body string) string { return "<query xmlns='jabber:iq:register'>" + body + "</query>" }

func TestPassword(t *testing.T) {
	s := start(t, false, false)
	alice, second := s.Online("alice", "a"), s.Online("alice", "second")
	Has(t, "registered", alice.Ask("get", Host, query("")), "<registered/>", "<username>alice</username>")
	for _, tt := range []struct{ name, body, want string }{
		{"no name", "<password>another one 9</password>", "<bad-request"},
		{"no password", "<username>alice</username>", "<bad-request"},
		{"empty", "<username>alice</username><password/>", "<bad-request"},
		{"another's", "<username>bob</username><password>another one 9</password>", "<not-allowed"},
		{"short", "<username>alice</username><password>short</password>", "<not-acceptable"},
		{"removal is off", "<remove/>", "<not-allowed"},
		{"removal and more", "<remove/><username>alice</username>", "<bad-request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			Has(t, "alice", alice.Ask("set", Host, query(tt.body)), "<iq type='error'", tt.want)
		})
	}
	second.Settle() // nothing has happened
	Has(t, "changing", alice.Ask("set", Host, query("<username>alice</username><password>another one 9</password>")), "<iq type='result'")
	Has(t, "the second", second.Rest(), "<not-authorized")
	s.LoginWith("alice", "new", "another one 9").Settle()
	Has(t, "by form", alice.Ask("set", "", query("<x xmlns='jabber:x:data' type='submit'><field var='username'><value>Alice@example.org</value></field><field var='password'><value>yet another 9</value></field></x>")), "<iq type='result'")
	s.LoginWith("alice", "new", "yet another 9").Settle()
	alice.Settle()
	if strings.Contains(s.Log(), "another") {
		t.Error("a password is in the log")
	}
}

func TestRemove(t *testing.T) {
	s := start(t, false, true)
	level := identity.LevelAdmin
	_, err := s.Identity.SetUser(t.Context(), Actor(), "bob", identity.UserChange{Level: &level})
	Must(t, err)
	bob := s.Online("bob", "b")
	Has(t, "the last administrator", bob.Ask("set", "", query("<remove/>")), "<forbidden", "last active administrator")
	alice, second := s.Online("alice", "a"), s.Online("alice", "second")
	alice.Send("<iq type='set' id='gone'>" + query("<remove/>") + "</iq>")
	Has(t, "alice", alice.Rest(), "<iq type='result' id='gone'", "<stream:error><not-authorized")
	Has(t, "the second", second.Rest(), "<stream:error><not-authorized")
	if _, err := s.Identity.User(t.Context(), "alice"); err == nil {
		t.Error("alice is still there")
	}
	events, err := s.Identity.Audit(t.Context(), identity.AuditFilter{Event: "user.remove"})
	if err != nil || len(events) != 1 || events[0].Actor != "alice" || events[0].Via != "xmpp" {
		t.Errorf("%+v, %v", events, err)
	}
}

const open = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + Host + "'>"

// stranger is somebody without an account, and the features that they see.
func stranger(s *Site) (c *Client, features string) {
	c = s.Dial()
	c.Send(open)
	return c, c.Expect("</stream:features>")
}

func (f form) send(c *Client) string {
	c.Send("<iq type='set' id='r'>" + query("<username>"+f.name+"</username><password>"+f.password+"</password><email>x@example.net</email>") + "</iq>")
	return c.Expect("</iq>")
}

type form struct{ name, password string }

func TestStrangers(t *testing.T) {
	s := start(t, true, false)
	c, features := stranger(s)
	Has(t, "features", features, "<register xmlns='http://jabber.org/features/iq-register'/>")
	c.Send("<iq type='get' id='f' to='" + Host + "'>" + query("") + "</iq>")
	Has(t, "fields", c.Expect("</iq>"), "<iq type='result' id='f' from='example.org'", "<username/>", "<password/>", "<field var='password' type='text-private'")
	Has(t, "short", form{"dave", "short"}.send(c), "<not-acceptable")
	Has(t, "taken", form{"alice", Password}.send(c), "<conflict")
	c.Send("<iq type='set' id='r'>" + query("<username>dave</username><password>"+Password+"</password>") + "</iq>")
	c.Expect("<iq type='result' id='r'/>")
	// The same stream goes on to the log-in.
	c.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00dave\x00"+Password)) + "</auth>")
	c.Expect("<success")
	acc, err := s.Identity.User(t.Context(), "dave")
	if err != nil || acc.Level != identity.LevelUser {
		t.Errorf("%+v, %v", acc, err)
	}
	again, _ := stranger(s)
	Has(t, "the third", form{"bob", Password}.send(again), "<conflict")
	Has(t, "too many", form{"eve", Password}.send(again), "<resource-constraint")
	again.Send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
	Has(t, "anything else", again.Rest(), "<stream:error><not-authorized")
}

func TestClosed(t *testing.T) {
	s := start(t, false, false)
	c, features := stranger(s)
	if strings.Contains(features, "iq-register") {
		t.Errorf("features: %s", features)
	}
	c.Send("<iq type='get' id='f' to='" + Host + "'>" + query("") + "</iq>")
	Has(t, "a stranger", c.Rest(), "<stream:error><not-authorized")
}

// A certificate is a key of its own: it goes on when the password changes, and changes none (XEP-0257
// section 6).
func TestByCertificate(t *testing.T) {
	s := start(t, false, true)
	cert := Certificate(t)
	alice := s.Online("alice", "a")
	Has(t, "adding", alice.Ask("set", "", "<append xmlns='urn:xmpp:saslcert:1'><name>bot</name><x509cert>"+base64.StdEncoding.EncodeToString(cert.Certificate[0])+"</x509cert></append>"), "<iq type='result'")
	bot := s.LoginExternal(cert, "bot")
	for name, body := range map[string]string{"the password": "<username>alice</username><password>another one 9</password>", "the account": "<remove/>"} {
		Has(t, name, bot.Ask("set", "", query(body)), "<iq type='error'", "<error type='auth'", "<not-authorized")
	}
	Has(t, "changing", alice.Ask("set", "", query("<username>alice</username><password>another one 9</password>")), "<iq type='result'")
	Has(t, "the bot", bot.Rest(), "<not-authorized") // as all that were in; it may come again
	again := s.LoginExternal(cert, "bot")
	Has(t, "revoking", alice.Ask("set", "", "<revoke xmlns='urn:xmpp:saslcert:1'><name>bot</name></revoke>"), "<iq type='result'")
	Has(t, "the bot", again.Rest(), "<not-authorized")
	c := s.DialWith(cert)
	c.Send(OpenStream(Host))
	c.Expect("</stream:features>")
	c.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
	c.Expect("<not-authorized")
}
