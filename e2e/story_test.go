package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const password = "correct horse battery"

// TestOneAccountThreeRoads is what Trivium is for: one account logs in on three roads, one list
// shows it three times with the same identity, and disabling it once ends all three at once.
func TestOneAccountThreeRoads(t *testing.T) {
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "alice", "--level", "customer", "--password-stdin")

	ftp := dialFTP(t, s.addr["ftp"])
	ftp.login("alice", password)
	web := newWeb(t, s.addr["web"])
	web.login("alice", password)
	xmpp := dialXMPP(t, s.addr["xmpps"], "localhost")
	xmpp.login("alice", password, "localhost", "phone")
	xmpp.send(`<iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq><presence><show>away</show><priority>7</priority></presence>`)
	xmpp.until(`<presence[^>]*>`) // one's own presence comes back: RFC 6121 section 4.2.2

	list := s.sessions(t, "--user", "alice")
	byProtocol := map[string]session{}
	for _, l := range list {
		byProtocol[l.Protocol] = l
	}
	if len(list) != 3 || len(byProtocol) != 3 {
		t.Fatalf("%d sessions, want one each of ftp, web, xmpp: %+v", len(list), list)
	}
	for protocol, l := range byProtocol {
		if l.User == nil || *l.User != "alice" || l.UID == nil || *l.UID != *list[0].UID || l.Level != 20 ||
			l.Group == nil || *l.Group != "alice" || l.LoginAt == nil {
			t.Errorf("%s: not the same account: %+v", protocol, l)
		}
	}
	x := byProtocol["xmpp"]
	if x.JID == nil || *x.JID != xmpp.jid || x.JID != nil && *x.JID != "alice@localhost/phone" {
		t.Errorf("JID %v, want %s", x.JID, xmpp.jid)
	}
	if x.State != "available" || x.Presence == nil || *x.Presence != "away" || x.Priority == nil || *x.Priority != 7 || x.Interested == nil || !*x.Interested {
		t.Errorf("XMPP fields: %+v", x)
	}
	if status, _, _ := web.get("/sessions"); status != http.StatusOK {
		t.Fatalf("/sessions answered %d", status)
	}

	s.run(t, "", "user", "disable", "alice", "--yes")
	disabled := time.Now()
	if reply, err := ftp.reply(); !strings.HasPrefix(reply, "421") {
		t.Errorf("FTP: got %q, %v, want 421", reply, err)
	}
	xmpp.until(`<stream:error>.*not-authorized.*disabled.*</stream:stream>`)
	if status, to, _ := web.get("/sessions"); status != http.StatusSeeOther || !strings.HasPrefix(to, "/login") {
		t.Errorf("web: got %d to %q, want a redirect to /login", status, to)
	}
	// The command returns when it is done, so this is a bound on delivery, wide for a slow machine.
	if took := time.Since(disabled); took > 2*time.Second {
		t.Errorf("all three ended after %s", took)
	}
	if left := s.sessions(t, "--user", "alice"); len(left) != 0 {
		t.Errorf("left in the list: %+v", left)
	}
	again := dialFTP(t, s.addr["ftp"])
	again.do("USER alice", "331")
	again.do("PASS "+password, "530")
}

// TestTokenOnEveryRoad: an app password works where passwords do, not in the web form, and its
// sessions end when it is revoked, the others' do not.
func TestTokenOnEveryRoad(t *testing.T) {
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "bob", "--password-stdin")
	token := strings.TrimSpace(s.run(t, "", "token", "issue", "bob", "--scope", "ftp,xmpp", "--label", "phone"))
	if !strings.HasPrefix(token, "secret-token:") || strings.ContainsAny(token, " \n") {
		t.Fatalf("stdout is not the token alone: %d bytes", len(token))
	}

	ftp := dialFTP(t, s.addr["ftp"])
	ftp.login("bob", token)
	byPassword := dialFTP(t, s.addr["ftp"])
	byPassword.login("bob", password)
	xmpp := dialXMPP(t, s.addr["xmpps"], "localhost")
	xmpp.login("bob", token, "localhost", "tablet")
	if _, body := formLogin(t, s, "bob", token); !strings.Contains(body, "wrong") {
		t.Error("the web form took a token")
	}

	var id string
	for _, l := range s.sessions(t, "--user", "bob") {
		if l.Protocol == "xmpp" {
			if l.TokenID == nil {
				t.Fatal("no token_id")
			}
			id = *l.TokenID
		}
	}
	s.run(t, "", "token", "revoke", id)
	if reply, err := ftp.reply(); !strings.HasPrefix(reply, "421") {
		t.Errorf("FTP by token: got %q, %v, want 421", reply, err)
	}
	xmpp.until(`<stream:error>.*</stream:stream>`)
	byPassword.do("NOOP", "200")
	forged := token[:len(token)-30] + "A" + token[len(token)-29:]
	f := dialFTP(t, s.addr["ftp"])
	f.do("USER bob", "331")
	f.do("PASS "+forged, "530")
}

func formLogin(t *testing.T, s *server, user, secret string) (int, string) {
	status, _, body := newWeb(t, s.addr["web"]).submit("/login", "/login", map[string][]string{"login": {user}, "password": {secret}})
	return status, body
}

// TestEndOneSession: ending a session from the list ends exactly that one, on each road.
func TestEndOneSession(t *testing.T) {
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "carol", "--password-stdin")
	one, two := dialFTP(t, s.addr["ftp"]), dialFTP(t, s.addr["ftp"])
	one.login("carol", password)
	first := s.sessions(t, "--user", "carol")
	two.login("carol", password)
	s.run(t, "", "session", "end", first[0].ID)
	if reply, err := one.reply(); !strings.HasPrefix(reply, "421") {
		t.Errorf("got %q, %v, want 421", reply, err)
	}
	two.do("NOOP", "200")
}
