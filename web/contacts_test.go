package web_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/web"
)

func withChat(list ...web.Contact) change {
	return func(o *web.Options, _ *identity.Options) {
		o.Chat = &web.Chat{Socket: "/xmpp-websocket", Clear: true, Register: true, Contacts: func(context.Context, identity.Account) ([]web.Contact, error) { return list, nil }}
	}
}

// An invitation of a person: it is shown once, makes a contact of who is logged in, and works once.
func TestContactsByInvitation(t *testing.T) {
	s := newSite(t, withChat(web.Contact{JID: "kim@example.net", Name: "<b>Kim", State: "both", Online: true}))
	var met []string
	s.identity.OnContact(func(_ context.Context, inviter, joined identity.Account) {
		met = append(met, string(inviter.Login)+" and "+string(joined.Login))
	})
	for _, name := range []string{"alice", "bob", "carol"} {
		s.user(name, identity.LevelUser)
	}
	alice, bob := s.browser().login("alice"), s.browser().login("bob")
	page := alice.get("/contacts").expect(t, http.StatusOK).body
	if !strings.Contains(page, "&lt;b&gt;Kim") || strings.Contains(page, `name="account"`) {
		t.Error("the list lacks a contact, or somebody of the level user may invite to make accounts")
	}
	page = alice.post("/contacts", "/contacts/invite", "note", "for Bob", "account", "1").expect(t, http.StatusOK).body
	link := regexp.MustCompile(`/join/[0-9a-z]+`).FindString(page)
	if link == "" || !strings.Contains(page, "xmpp:alice@example.org?roster;preauth="+strings.TrimPrefix(link, "/join/")) || strings.Contains(page, "ibr=y") {
		t.Fatalf("no link in %s", page)
	}
	if strings.Contains(alice.get("/contacts").body, link) {
		t.Error("the link is shown a second time")
	}
	if got := alice.get(link).expect(t, http.StatusOK).body; strings.Contains(got, `name="accept"`) {
		t.Error("who invites is offered to be a contact of herself")
	}
	if got := s.browser().get(link).expect(t, http.StatusOK).body; strings.Contains(got, `name="accept"`) || !strings.Contains(got, "/login?next=") {
		t.Error("who is not logged in is not led to the log-in")
	}
	if got := bob.get(link).expect(t, http.StatusOK).body; !strings.Contains(got, `name="accept"`) {
		t.Fatal("who is logged in cannot accept")
	}
	bob.post("/contacts", link, "accept", "1").expect(t, http.StatusSeeOther)
	if strings.Join(met, ", ") != "alice and bob" {
		t.Errorf("contacts: %v", met)
	}
	s.browser().login("carol").post("/contacts", link, "accept", "1").expect(t, http.StatusGone)

	page = alice.post("/contacts", "/contacts/invite").body
	link = regexp.MustCompile(`/join/[0-9a-z]+`).FindString(page)
	id := regexp.MustCompile(`data-code="([0-9a-z]+)"`).FindStringSubmatch(alice.get("/contacts").body)
	bob.post("/contacts", "/contacts/"+id[1]+"/revoke").expect(t, http.StatusNotFound)
	alice.post("/contacts", "/contacts/"+id[1]+"/revoke").expect(t, http.StatusSeeOther)
	bob.get(link).expect(t, http.StatusGone)
}

// Over plain HTTP the page says that chat wants TLS, and how one comes by it, where chat does.
func TestChatOverPlainHTTP(t *testing.T) {
	s := newSite(t, withChat(), func(o *web.Options, _ *identity.Options) { o.Chat.Clear = false })
	s.user("alice", identity.LevelUser)
	got := s.browser().login("alice").get("/chat").expect(t, http.StatusOK).body
	if !strings.Contains(got, "needs https") || !strings.Contains(got, "web.tls_listen") || !strings.Contains(got, "alice@example.org") || strings.Contains(got, "chat.js") {
		t.Errorf("the page: %s", got)
	}
}

// The pages of chat are there for who may chat, and for nobody else as little as a page that is none.
func TestChatPagesHide(t *testing.T) {
	s := newSite(t, withChat())
	s.user("alice", identity.LevelUser)
	b := s.browser().login("alice")
	a := b.get("/chat").expect(t, http.StatusOK)
	if p := a.Header.Get("Content-Security-Policy"); strings.Contains(a.body, "chat.js") && (!strings.Contains(p, "'unsafe-inline'") || !strings.Contains(p, "connect-src 'self' wss://") || strings.Contains(p, "script-src 'self' '")) {
		t.Errorf("the policy is %q", p)
	}
	got := b.post("/contacts", "/chat/token").expect(t, http.StatusOK)
	if !strings.Contains(got.body, `"jid":"alice@example.org"`) || !strings.Contains(got.body, `"password":"chat-pass:`) || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the pass: %s", got.body)
	}
	if _, err := s.identity.SetUser(t.Context(), machine, "alice", identity.UserChange{Roads: &[]identity.Road{identity.RoadWeb}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/chat", "/contacts", "/no-such-page"} {
		if a := b.get(path).expect(t, http.StatusNotFound); strings.Contains(a.body, `href="/chat"`) || strings.Contains(a.body, `href="/contacts"`) {
			t.Errorf("%s leads to pages of chat", path)
		}
	}
	b.post("/account", "/chat/token").expect(t, http.StatusNotFound)
}

// oneBook notes what is asked of it, in order.
type oneBook struct{ did []string }

func (b *oneBook) note(a identity.Account, words ...string) error {
	b.did = append(b.did, string(a.Login)+" "+strings.Join(words, " "))
	if strings.Contains(words[1], "@@") {
		return identity.ErrInvalid
	}
	return nil
}
func (b *oneBook) Rename(_ context.Context, a identity.Account, jid, name string) error {
	return b.note(a, "rename", jid, name)
}
func (b *oneBook) Remove(_ context.Context, a identity.Account, jid string) error {
	return b.note(a, "remove", jid)
}
func (b *oneBook) Ask(_ context.Context, a identity.Account, jid string) error {
	return b.note(a, "ask", jid)
}
func (b *oneBook) Answer(_ context.Context, a identity.Account, jid string, yes bool) error {
	return b.note(a, "answer", jid, map[bool]string{true: "yes", false: "no"}[yes])
}
func (b *oneBook) Block(_ context.Context, a identity.Account, jid string, on bool) error {
	return b.note(a, "block", jid, map[bool]string{true: "on", false: "off"}[on])
}
func (b *oneBook) Blocked(context.Context, identity.Account) ([]string, error) {
	return []string{"<i>spam@example.net"}, nil
}

// The forms of the page do what they say to the visitor's own list; who only asks stands apart.
func TestContactsAreChanged(t *testing.T) {
	book := &oneBook{}
	s := newSite(t, withChat(web.Contact{JID: "kim@example.org", Name: "Kim", State: "both"}, web.Contact{JID: "<i>new@example.org", State: "none", Asks: true}),
		func(o *web.Options, _ *identity.Options) { o.Chat.Book = book })
	s.user("alice", identity.LevelUser)
	b := s.browser().login("alice")
	page := b.get("/contacts").expect(t, http.StatusOK, `data-testid="request-row" data-jid="&lt;i&gt;new@example.org"`, `data-testid="blocked-row"`).body
	if strings.Count(page, `data-testid="contact-row"`) != 1 || strings.Contains(page, "<i>") {
		t.Error("who only asks is a contact, or an address became markup")
	}
	for _, verb := range []string{"rename", "remove", "accept", "decline", "block", "unblock", "add"} {
		b.post("/contacts", "/contacts/list/"+verb, "jid", "kim@example.org", "name", "K").expect(t, http.StatusSeeOther)
	}
	const k = "kim@example.org"
	if got, want := strings.Join(book.did, ", "), "alice rename "+k+" K, alice remove "+k+", alice answer "+k+" yes, alice answer "+k+" no, alice block "+k+" on, alice block "+k+" off, alice ask "+k; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	b.post("/contacts", "/contacts/list/add", "jid", "@@").expect(t, http.StatusUnprocessableEntity, `value="@@"`)
	b.post("/contacts", "/contacts/list/nosuch", "jid", k).expect(t, http.StatusNotFound)
}
