package devices_test

import (
	"context"
	"encoding/base64"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/tokens"
	"trivium/xmpp"
	"trivium/xmpp/devices"
	. "trivium/xmpp/xmpptest"
)

// appPasswords is the real service of tokens, as the application gives it to the module.
type appPasswords struct{ *tokens.Service }

func (a appPasswords) List(ctx context.Context, login string) ([]devices.Token, error) {
	list, err := a.Service.List(ctx, login)
	var out []devices.Token
	for _, t := range list {
		d := devices.Token{ID: t.ID, Label: t.Label, Created: t.CreatedAt}
		if t.LastUsed != nil {
			d.LastUsed = *t.LastUsed
		}
		out = append(out, d)
	}
	return out, err
}

func (a appPasswords) Revoke(ctx context.Context, by identity.Actor, id string) error {
	return a.Service.Revoke(ctx, by, id)
}

type place struct {
	*Site
	tokens *tokens.Service
}

func start(t *testing.T) place {
	site, issued := StartWithTokens(t, func(svc *identity.Service, issued *tokens.Service) []xmpp.Module {
		return []xmpp.Module{devices.New(svc.Registry, appPasswords{issued})}
	})
	return place{site, issued}
}

var fullJID = regexp.MustCompile(`<authorization-identifier>([^<]+)<`)

// phone logs in as one installation of a client, with a token to come again.
func (p place) phone(t *testing.T, name, id, software, device string) *Client {
	t.Helper()
	c := p.Dial()
	c.Send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + Host + "'>")
	c.Expect("</stream:features>")
	c.Send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" +
		base64.StdEncoding.EncodeToString([]byte("\x00"+name+"\x00"+Password)) + "</initial-response>" +
		"<user-agent id='" + id + "'><software>" + software + "</software><device>" + device + "</device></user-agent>" +
		"<bind xmlns='urn:xmpp:bind:0'/><request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/></authenticate>")
	m := fullJID.FindStringSubmatch(c.Expect("</success>"))
	if m == nil {
		t.Fatal("no address")
	}
	c.JID = m[1]
	c.Expect("</stream:features>")
	return c
}

const (
	list  = "<list xmlns='urn:xmpp:cam:0'/>"
	agent = "d4565fa7-4d72-4749-b3d3-740edbf87770"
)

var clientForm = regexp.MustCompile(`<client .*?</client>`)

// find is the one entry with a text in it.
func find(t *testing.T, answer, text string) (entry, id string) {
	t.Helper()
	var found []string
	for _, e := range clientForm.FindAllString(answer, -1) {
		if strings.Contains(e, text) {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d entries with %q in %s", len(found), text, answer)
	}
	return found[0], regexp.MustCompile(` id='([^']+)'`).FindStringSubmatch(found[0])[1]
}

func revoke(c *Client, id string) string {
	return c.Ask("set", "", "<revoke xmlns='urn:xmpp:cam:0' id='"+id+"'/>")
}

func TestClients(t *testing.T) {
	s := start(t)
	laptop := s.Online("alice", "laptop")
	phone := s.phone(t, "alice", agent, "Conversations &amp; Co", "Alice's phone")
	s.phone(t, "bob", agent, "Bob's", "phone")
	got := laptop.Ask("get", "", list)
	e, id := find(t, got, "Alice")
	Has(t, "the phone", e, "connected='true'", "type='session'", "<first-seen>2", "<last-seen>2", "<fast/>", "<password/>", "<permission status='unrestricted'/>", "<software>Conversations &amp; Co</software><device>Alice&apos;s phone</device>")
	if strings.Contains(got, agent) || strings.Contains(got, "Bob") {
		t.Errorf("the answer says too much: %s", got)
	}
	if n := len(clientForm.FindAllString(got, -1)); n != 2 {
		t.Errorf("%d clients: %s", n, got)
	}
	// It has gone, and may come again by its token.
	phone.Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		got = laptop.Ask("get", "", list)
		if e, _ = find(t, got, "Alice"); strings.Contains(e, "connected='false'") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the phone is still connected: %s", e)
		}
	}
	if strings.Contains(e, "<password/>") {
		t.Errorf("nobody knows whether it has kept the password: %s", e)
	}
	Has(t, "revoking", revoke(laptop, id), "<iq type='result'")
	if got := laptop.Ask("get", "", list); strings.Contains(got, "Alice") {
		t.Errorf("still there: %s", got)
	}
	Has(t, "again", revoke(laptop, id), "<item-not-found")
}

func TestConnectedClient(t *testing.T) {
	s := start(t)
	laptop := s.Online("alice", "laptop")
	phone := s.phone(t, "alice", agent, "Conversations", "phone")
	_, id := find(t, laptop.Ask("get", "", list), "Conversations")
	Has(t, "revoking", revoke(laptop, id), "<service-unavailable", "<password-reset-required xmlns='urn:xmpp:cam:0'/>")
	Has(t, "the phone", phone.Rest(), "<not-authorized")
	_, own := find(t, laptop.Ask("get", "", list), "connected='true'")
	Has(t, "its own", revoke(laptop, own), "<not-allowed")
	Has(t, "none", revoke(laptop, ""), "<item-not-found")
	bob := s.Online("bob", "b")
	Has(t, "somebody else's", revoke(bob, own), "<item-not-found")
	laptop.Settle()
}

func TestAppPasswords(t *testing.T) {
	s := start(t)
	tok, secret, err := s.tokens.Issue(t.Context(), Actor(), tokens.Request{User: "alice", Label: "old phone", Scopes: []tokens.Scope{tokens.ScopeXMPP}})
	Must(t, err)
	laptop := s.Online("alice", "laptop")
	e, id := find(t, laptop.Ask("get", "", list), "old phone")
	Has(t, "unused", e, "connected='false'", "type='access'", "<grant/>", "status='normal'")
	bot := s.LoginWith("alice", "bot", secret.Reveal())
	e, _ = find(t, laptop.Ask("get", "", list), "old phone")
	Has(t, "used", e, "connected='true'", "type='session'", "<auth><grant/></auth>")
	Has(t, "by the bot", bot.Ask("get", "", list), "<forbidden")
	Has(t, "by the bot", revoke(bot, id), "<forbidden")
	Has(t, "revoking", revoke(laptop, id), "<iq type='result'")
	Has(t, "the bot", bot.Rest(), "<not-authorized")
	if _, err := s.tokens.Get(t.Context(), tok.ID); err == nil {
		t.Error("the token is still there")
	}
}

type holder struct{ ended chan identity.Reason }

func (h holder) SessionEnded(r identity.Reason) { h.ended <- r }
func (h holder) SessionChanged()                {}

func TestOtherRoads(t *testing.T) {
	s := start(t)
	laptop := s.Online("alice", "laptop")
	h := holder{make(chan identity.Reason, 1)}
	ses, err := s.Identity.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolFTP, Holder: h,
		Remote: netip.MustParseAddrPort("192.0.2.1:1000"), Local: netip.MustParseAddrPort("192.0.2.2:21"), UserAgent: "lftp/4.9"})
	Must(t, err)
	_, err = s.Identity.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret(Password)})
	Must(t, err)
	e, id := find(t, laptop.Ask("get", "", list), "lftp")
	Has(t, "ftp", e, "connected='true'", "type='access'", "<password/>")
	Has(t, "revoking", revoke(laptop, id), "<password-reset-required")
	if r := <-h.ended; r.Code != identity.ReasonEnded || r.By == nil || r.By.User != "alice" {
		t.Errorf("ended for %+v", r)
	}
}
