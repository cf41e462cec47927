package xmpp_test

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
	"trivium/xmpp"
	"trivium/xmpp/xmpptest"

	"log/slog"
)

// tokenSite is a site with app passwords: one of alice for chat, one of alice for the web alone.
func tokenSite(t *testing.T) (s *site, chat, web string) {
	t.Helper()
	db := sqltest.Migrated(t, tokenstore.Migrate)
	verifier := tokens.NewVerifier(tokenstore.New(db), nil)
	s = start(t, options{identity: func(o *identity.Options) { o.Tokens = verifier }})
	_, err := s.svc.AddAlias(t.Context(), byMachine, "nick", "alice")
	must(t, err)
	service := tokens.New(verifier, s.svc, host)
	issue := func(scope tokens.Scope) string {
		_, text, err := service.Issue(t.Context(), byMachine, tokens.Request{User: "alice", Scopes: []tokens.Scope{scope}})
		must(t, err)
		return text.Reveal()
	}
	return s, issue(tokens.ScopeXMPP), issue(tokens.ScopeWeb)
}

func TestSCRAMToken(t *testing.T) {
	s, chat, web := tokenSite(t)
	for _, tt := range []struct {
		name, login, secret string
		ok                  bool
	}{
		{"app password", "alice", chat, true},
		{"app password by alias", "nick", chat, true},
		{"password by alias", "nick", password, true},
		{"alias with host", "nick@" + host, password, true},
		{"app password of another", "bob", chat, false},
		{"token without the scope", "alice", web, false},
		{"nobody's name", "nobody", chat, false},
	} {
		for _, mech := range []string{"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"} {
			t.Run(tt.name+" "+mech, func(t *testing.T) {
				p := s.dialTLS()
				p.open()
				binding := p.exporter()
				if !strings.HasSuffix(mech, "PLUS") {
					binding = nil
				}
				got, _ := p.scramLogin(tt.login, tt.secret, mech, binding, false)
				if !tt.ok {
					if !strings.Contains(got, "<not-authorized/>") {
						t.Error(got)
					}
					return
				}
				if got != "success" {
					t.Fatal(got)
				}
				p.open()
				p.send(bindTo("r"))
				if bound := p.expect("</iq>"); !strings.Contains(bound, "<jid>alice@"+host+"/r</jid>") {
					t.Error(bound)
				}
			})
		}
	}
}

func TestBearerToken(t *testing.T) {
	s, chat, web := tokenSite(t)
	for _, tt := range []struct {
		name, authzid, secret, want string
	}{
		{"no name", "", chat, "</success>"},
		{"own address", "a=alice@" + host, chat, "</success>"},
		{"alias", "a=nick@" + host, chat, "</success>"},
		{"another's address", "a=bob@" + host, chat, "</challenge>"},
		{"another host", "a=alice@second.example", chat, "<invalid-authzid/>"},
		{"with a resource", "a=alice@" + host + "/r", chat, "<invalid-authzid/>"},
		{"without the scope", "", web, "<not-authorized/>"},
		{"the password", "a=alice@" + host, password, "</challenge>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialTLS()
			p.open()
			p.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>" +
				b64("n,"+tt.authzid+",\x01auth=Bearer "+tt.secret+"\x01\x01") + "</auth>")
			p.expect(tt.want)
			if tt.want == "</success>" {
				p.open()
				p.send(bindTo("r"))
				if bound := p.expect("</iq>"); !strings.Contains(bound, "<jid>alice@"+host+"/r</jid>") {
					t.Error(bound)
				}
			}
		})
	}
}

// TestLogKeys looks for the session's keys at the top of a line, where every road has them.
func TestLogKeys(t *testing.T) {
	var lines xmpptest.Log
	s := start(t, options{xmpp: func(o *xmpp.Options) {
		o.Log = slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}})
	p := s.dialTLS()
	p.open()
	p.send(authPlain("alice", password))
	p.expect("</success>")
	p.open()
	p.send("<message/>")
	p.ends("not-authorized")
	for sc := bufio.NewScanner(strings.NewReader(lines.String())); sc.Scan(); {
		var line map[string]any
		must(t, json.Unmarshal(sc.Bytes(), &line))
		if line["msg"] != "stream refused" {
			continue
		}
		for _, key := range []string{"sess", "protocol", "remote", "user"} {
			if text, ok := line[key].(string); !ok || text == "" {
				t.Errorf("no %s in %s", key, sc.Text())
			}
		}
		return
	}
	t.Error("the refusal is not in the log")
}

// An app password is narrower than a token of a client would be, and revoked by itself: it gives
// none, and changes nothing that logs in.
func TestAppPasswordGivesNothing(t *testing.T) {
	s, chat, _ := tokenSite(t)
	p := s.dialTLS()
	p.open()
	p.send(authenticate("alice", chat, userAgent(agentID), bindTag, requestToken("HT-SHA-256-NONE"), upgradeTo(toSHA256, toSHA1)))
	if got := p.expect("</stream:features>"); !strings.HasPrefix(got, "<success") || strings.Contains(got, "<token") {
		t.Error(got)
	}
}
