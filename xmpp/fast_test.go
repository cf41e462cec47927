package xmpp_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

const otherAgent = "01234567-89ab-4cde-8f01-23456789abcd"

func requestToken(mech string) string {
	return "<request-token xmlns='urn:xmpp:fast:0' mechanism='" + mech + "'/>"
}

func htHash(token, who string, cb []byte) string {
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte(who))
	m.Write(cb)
	return string(m.Sum(nil))
}

var tokenForm = regexp.MustCompile(`<token xmlns='urn:xmpp:fast:0' expiry='([^']+)' token='([A-Za-z0-9_-]{43})'/>`)

// fastLogin is a log-in by token; the text is all that the server says.
func (p *peer) fastLogin(name, token, mech string, parts ...string) string {
	p.t.Helper()
	p.open()
	return p.fastAgain(name, token, mech, parts...)
}

// fastAgain is one more attempt on the same stream.
func (p *peer) fastAgain(name, token, mech string, parts ...string) string {
	p.t.Helper()
	var cb []byte
	switch mech {
	case "HT-SHA-256-EXPR":
		cb = p.exporter().Data
	case "HT-SHA-256-ENDP":
		cb = p.endPoint(p.site).Data
	}
	if len(parts) == 0 {
		parts = []string{"<fast xmlns='urn:xmpp:fast:0'/>", userAgent(agentID), bindTag}
	}
	p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mech + "'><initial-response>" + b64(name+"\x00"+htHash(token, "Initiator", cb)) +
		"</initial-response>" + strings.Join(parts, "") + "</authenticate>")
	text := p.expect(">")
	if strings.HasPrefix(text, "<failure") {
		return text + p.expect("</failure>")
	}
	text += p.expect("</success>")
	body := regexp.MustCompile(`<additional-data>([^<]*)</additional-data>`).FindStringSubmatch(text)
	if body == nil || unb64(p.t, body[1]) != htHash(token, "Responder", cb) {
		p.t.Errorf("the server's proof is wrong in %s", text)
	}
	p.expect("</stream:features>")
	return text
}

// token is a log-in by password that asks for a token.
func (s *site) token(mech string) (token string, p *peer) {
	s.t.Helper()
	p = s.dialTLS()
	p.open()
	p.send(authenticate("alice", password, userAgent(agentID), bindTag, requestToken(mech)))
	m := tokenForm.FindStringSubmatch(p.expect("</success>"))
	if m == nil {
		s.t.Fatal("no token")
	}
	p.expect("</stream:features>")
	return m[2], p
}

const good, fails = "<success", "<not-authorized"

func check(t testing.TB, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFAST(t *testing.T) {
	s := start(t, options{})
	check(t, s.dialTLS().open(), "<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-ENDP</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast></inline>")
	for _, mech := range []string{"HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"} {
		t.Run(mech, func(t *testing.T) {
			token, old := s.token(mech)
			for range 2 { // a token is good for more than once
				p := s.dialTLS()
				p.t = t
				got := p.fastLogin("alice", token, mech)
				check(t, got, "<authorization-identifier>alice@example.org/Awesome/")
				if tokenForm.MatchString(got) {
					t.Errorf("a new token before its time: %s", got)
				}
				p.ping()
				old.ends("conflict") // the same client, in its own place
				old = p
			}
			p := s.dialTLS()
			p.t = t
			if got := p.fastLogin("alice@example.org", token, mech); !strings.Contains(got, good) {
				t.Error(got)
			}
		})
	}
	if !strings.Contains(s.Log(), "user=alice method=fast result=ok") {
		t.Error("no log-in by token in the log")
	}
}

// Whatever a token is bound to, with something else it is none.
func TestFASTBinding(t *testing.T) {
	s := start(t, options{})
	token, _ := s.token("HT-SHA-256-EXPR")
	fastEl := "<fast xmlns='urn:xmpp:fast:0'/>"
	for _, tt := range []struct {
		name, user, token, mech string
		parts                   []string
		want                    string
	}{
		{"another mechanism", "alice", token, "HT-SHA-256-NONE", nil, fails},
		{"another account", "bob", token, "HT-SHA-256-EXPR", nil, fails},
		{"no account", "nobody", token, "HT-SHA-256-EXPR", nil, fails},
		{"another host", "alice@second.example", token, "HT-SHA-256-EXPR", nil, fails},
		{"another client", "alice", token, "HT-SHA-256-EXPR", []string{fastEl, userAgent(otherAgent)}, fails},
		{"no client", "alice", token, "HT-SHA-256-EXPR", []string{fastEl}, "<malformed-request"},
		{"another token", "alice", "x" + token, "HT-SHA-256-EXPR", nil, fails},
		{"no fast", "alice", token, "HT-SHA-256-EXPR", []string{userAgent(agentID)}, "<invalid-mechanism"},
		{"no such mechanism", "alice", token, "HT-SHA-512-EXPR", nil, "<invalid-mechanism"},
		{"count 0", "alice", token, "HT-SHA-256-EXPR", []string{"<fast xmlns='urn:xmpp:fast:0' count='0'/>", userAgent(agentID)}, "<malformed-request"},
		{"count too large", "alice", token, "HT-SHA-256-EXPR", []string{"<fast xmlns='urn:xmpp:fast:0' count='99999999999999999999'/>", userAgent(agentID)}, "<malformed-request"},
		{"invalidate unknown", "alice", token, "HT-SHA-256-EXPR", []string{"<fast xmlns='urn:xmpp:fast:0' invalidate='yes'/>", userAgent(agentID)}, "<malformed-request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			check(t, p.fastLogin(tt.user, tt.token, tt.mech, tt.parts...), tt.want)
			check(t, p.fastAgain("alice", token, "HT-SHA-256-EXPR"), good) // nothing of it hurt the token
		})
	}
	t.Run("the stream says another name", func(t *testing.T) {
		p := s.dialTLS()
		p.t = t
		p.send(openFrom("bob@example.org"))
		p.expect("</stream:features>")
		check(t, p.fastAgain("alice", token, "HT-SHA-256-EXPR"), "<invalid-authzid")
	})
	t.Run("SASL1", func(t *testing.T) {
		p := s.dialTLS()
		p.t = t
		p.open()
		p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='HT-SHA-256-NONE'>" + b64("alice\x00"+htHash(token, "Initiator", nil)) + "</auth>")
		p.expect("<invalid-mechanism/>")
	})
}

func TestFASTMessages(t *testing.T) {
	s := start(t, options{})
	hash := strings.Repeat("x", 32)
	for _, msg := range []string{"", "alice", "alice\x00", "\x00" + hash, "alice\x00" + hash[1:], "alice\x00" + hash + "x", "al\xffice\x00" + hash, strings.Repeat("a", 256) + "\x00" + hash} {
		p := s.dialTLS()
		p.open()
		p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>" + b64(msg) + "</initial-response><fast xmlns='urn:xmpp:fast:0'/>" + userAgent(agentID) + "</authenticate>")
		if got := p.expect("</failure>"); !strings.Contains(got, "<malformed-request") {
			t.Errorf("%q: %s", msg, got)
		}
	}
}

// What ends a password ends the tokens that it gave.
func TestFASTEndsWithThePassword(t *testing.T) {
	s := start(t, options{})
	const none = "HT-SHA-256-NONE"
	on, off := identity.UserActive, identity.UserDisabled
	for _, tt := range []struct {
		name string
		end  func(token string)
		want string
	}{
		{"password", func(string) {
			must(t, s.svc.SetPassword(t.Context(), byMachine, "alice", identity.NewSecret(password), nil))
		}, "<credentials-expired"},
		{"disabled", func(token string) {
			_, err := s.svc.SetUser(t.Context(), byMachine, "alice", identity.UserChange{State: &off})
			must(t, err)
			p := s.dialTLS()
			check(t, p.fastLogin("alice", token, none), "<credentials-expired")
			_, err = s.svc.SetUser(t.Context(), byMachine, "alice", identity.UserChange{State: &on})
			must(t, err)
		}, "<credentials-expired"},
		{"revoked", func(string) {
			owner, _, err := s.srv.Router().Owner(t.Context(), xmpp.NewAddress("alice", host))
			must(t, err)
			list, err := s.srv.Router().FASTClients(t.Context(), owner)
			must(t, err)
			if len(list) != 1 || list[0].Agent.ID != agentID || list[0].Agent.Device != "Kiva's Phone" || list[0].LastSeen.IsZero() {
				t.Errorf("%+v", list)
			}
			must(t, s.srv.Router().RevokeFAST(t.Context(), owner, agentID))
			if list, err := s.srv.Router().FASTClients(t.Context(), owner); err != nil || len(list) != 0 {
				t.Errorf("%+v, %v", list, err)
			}
		}, fails},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token, p := s.token(none)
			tt.end(token)
			p.ends("not-authorized")
			p = s.dialTLS()
			p.t = t
			check(t, p.fastLogin("alice", token, none), tt.want)
			check(t, p.fastAgain("alice", token, none), tt.want)
		})
	}
}

func TestFASTInvalidate(t *testing.T) {
	s := start(t, options{})
	const none = "HT-SHA-256-NONE"
	token, _ := s.token(none)
	leave := "<fast xmlns='urn:xmpp:fast:0' invalidate='true'/>"
	p := s.dialTLS()
	got := p.fastLogin("alice", token, none, leave, userAgent(agentID), bindTag)
	if tokenForm.MatchString(got) {
		t.Error(got)
	}
	p.ping() // the session goes on
	check(t, s.dialTLS().fastLogin("alice", token, none), fails)
	// With a request it is an exchange.
	token, _ = s.token(none)
	got = s.dialTLS().fastLogin("alice", token, none, leave, userAgent(agentID), bindTag, requestToken(none))
	next := tokenForm.FindStringSubmatch(got)
	if next == nil {
		t.Fatal(got)
	}
	check(t, s.dialTLS().fastLogin("alice", token, none), fails)
	check(t, s.dialTLS().fastLogin("alice", next[2], none), good)
}

func TestFASTCount(t *testing.T) {
	s := start(t, options{})
	const none = "HT-SHA-256-NONE"
	token, _ := s.token(none)
	with := func(count int) string {
		return s.dialTLS().fastLogin("alice", token, none, fmt.Sprintf("<fast xmlns='urn:xmpp:fast:0' count='%d'/>", count), userAgent(agentID), bindTag)
	}
	check(t, with(1), good)
	check(t, with(3), good)
	check(t, with(3), fails)
	check(t, with(2), fails)
	check(t, with(4), good)
}

// A token that is used is replaced in time; the old one holds until the new one has been used.
func TestFASTRotation(t *testing.T) {
	s := start(t, options{})
	var passed atomic.Int64
	s.srv.SetFASTClock(func() time.Time { return time.Now().Add(time.Duration(passed.Load())) })
	const none = "HT-SHA-256-NONE"
	token, _ := s.token(none)
	use := func(token string) (string, string) {
		got := s.dialTLS().fastLogin("alice", token, none)
		if m := tokenForm.FindStringSubmatch(got); m != nil {
			at, err := time.Parse(time.RFC3339, m[1])
			must(t, err)
			if left := at.Sub(time.Now().Add(time.Duration(passed.Load()))); left < 20*24*time.Hour || left > 22*24*time.Hour {
				t.Errorf("it lives %v", left)
			}
			return got, m[2]
		}
		return got, ""
	}
	_, next := use(token)
	if next != "" {
		t.Error("a new token at once")
	}
	passed.Add(int64(25 * time.Hour))
	_, lost := use(token) // the client does not hear of it
	_, next = use(token)
	if lost == "" || next == "" || lost == next || next == token {
		t.Fatalf("%q, %q", lost, next)
	}
	got, _ := use(lost)
	check(t, got, fails) // it was never used, and replaced
	got, more := use(next)
	check(t, got, good)
	if more != "" {
		t.Error("a new token for a new one")
	}
	got, _ = use(token)
	check(t, got, fails)
	// Its end.
	passed.Add(int64(22 * 24 * time.Hour))
	got, _ = use(next)
	check(t, got, "<credentials-expired")
	// Expiry is no wrong password: the address is not counted against.
	token, _ = s.token(none)
	got, _ = use(token)
	check(t, got, good)
}

// A password given later takes the place of tokens of old; of many clients the first ones go.
func TestFASTIssue(t *testing.T) {
	s := start(t, options{})
	const none, expr = "HT-SHA-256-NONE", "HT-SHA-256-EXPR"
	one, _ := s.token(none)
	two, _ := s.token(none)
	if one == two {
		t.Error("twice the same token")
	}
	check(t, s.dialTLS().fastLogin("alice", one, none), fails)
	check(t, s.dialTLS().fastLogin("alice", two, none), good)
	// By another mechanism the old one is void.
	three, _ := s.token(expr)
	check(t, s.dialTLS().fastLogin("alice", two, none), fails)
	check(t, s.dialTLS().fastLogin("alice", three, expr), good)
	// A log-in by token may ask for one of another mechanism.
	got := s.dialTLS().fastLogin("alice", three, expr, "<fast xmlns='urn:xmpp:fast:0'/>", userAgent(agentID), requestToken(none))
	four := tokenForm.FindStringSubmatch(got)
	if four == nil {
		t.Fatal(got)
	}
	check(t, s.dialTLS().fastLogin("alice", four[2], none), good)
	for i := range 50 {
		p := s.dialTLS()
		p.open()
		p.send(authenticate("alice", password, userAgent(fmt.Sprintf("%08d", i)), requestToken(none)))
		if !tokenForm.MatchString(p.expect("</success>")) {
			t.Fatal("no token")
		}
		p.send("</stream:stream>")
		_ = p.raw.Close()
	}
	owner, _, err := s.srv.Router().Owner(t.Context(), xmpp.NewAddress("alice", host))
	must(t, err)
	if list, err := s.srv.Router().FASTClients(t.Context(), owner); err != nil || len(list) != 50 {
		t.Errorf("%d clients, %v", len(list), err)
	}
}

// No token without an id, for a guest, or for a mechanism that there is not.
func TestFASTNoToken(t *testing.T) {
	s := start(t, options{
		identity: func(o *identity.Options) { o.AnonymousRoads = []identity.Road{identity.RoadXMPP} },
		xmpp:     func(o *xmpp.Options) { o.Anonymous = true },
	})
	for _, auth := range []string{
		authenticate("alice", password, requestToken("HT-SHA-256-NONE")),
		authenticate("alice", password, userAgent(agentID), requestToken("HT-SHA-512-NONE")),
		authenticate("alice", password, userAgent(agentID), requestToken("PLAIN")),
		"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'><initial-response/>" + userAgent(agentID) + requestToken("HT-SHA-256-NONE") + "</authenticate>",
	} {
		p := s.dialTLS()
		p.open()
		p.send(auth)
		if got := p.expect("</success>"); strings.Contains(got, "token") {
			t.Error(got)
		}
	}
}

// Of several log-ins with the same count one is the first, and the others repeat it.
func TestFASTSameCountAtOnce(t *testing.T) {
	s := start(t, options{})
	token, _ := s.token("HT-SHA-256-NONE")
	const n = 8
	results := make(chan string, n)
	for range n {
		p := s.dialTLS()
		p.open()
		go func() {
			_, _ = p.conn.Write([]byte("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>" + b64("alice\x00"+htHash(token, "Initiator", nil)) +
				"</initial-response><fast xmlns='urn:xmpp:fast:0' count='3'/>" + userAgent(agentID) + "</authenticate>"))
			buf := make([]byte, 9)
			_, _ = io.ReadFull(p.conn, buf)
			results <- string(buf)
		}()
	}
	in := 0
	for range n {
		if got := <-results; got == "<success " {
			in++
		}
	}
	if in != 1 {
		t.Errorf("%d log-ins with one count", in)
	}
}
