package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// ask sends an IQ and returns its answer.
func (x *xmppClient) ask(typ, to, payload string) string {
	x.t.Helper()
	x.send(`<iq type='` + typ + `' id='ask' to='` + to + `'>` + payload + `</iq>`)
	const answer = `(?s)<iq [^>]*id='ask'[^>]*(/>|>.*?</iq>)`
	return regexp.MustCompile(answer).FindString(x.until(answer)) // without what came before it
}

// command runs an ad-hoc command (XEP-0050), with a form where fields are given as "name=value".
func (x *xmppClient) command(to, node string, fields ...string) string {
	x.t.Helper()
	const ns = `<command xmlns='http://jabber.org/protocol/commands' node='`
	got := x.ask("set", to, ns+node+`'/>`)
	if len(fields) == 0 {
		return got
	}
	id := regexp.MustCompile(`sessionid='([^']+)'`).FindStringSubmatch(got)
	if id == nil {
		x.t.Fatalf("%s: %s", node, got)
	}
	form := `<x xmlns='jabber:x:data' type='submit'>`
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		form += `<field var='` + name + `'><value>` + value + `</value></field>`
	}
	return x.ask("set", to, ns+node+`' sessionid='`+id[1]+`'>`+form+`</x></command>`)
}

// TestChatInvitations: somebody is invited from chat, makes an account in the chat app, and both are
// contacts (XEP-0401, 0445); a third one becomes a contact by a link (XEP-0379). Then the administrator
// leaves a message for all and starts the server anew, from chat (XEP-0133): the process is the same, and
// who comes then gets the message, once.
func TestChatInvitations(t *testing.T) {
	const domain = "localhost"
	s := serve(t, "--set", "xmpp.registration=invite", "--set", "identity.invite_level=user")
	for who, level := range map[string]string{"alice": "user", "carol": "user", "chief": "root"} {
		s.run(t, password+"\n", "user", "add", who, "--level", level, "--password-stdin")
	}
	enter := func(who, resource string) *xmppClient {
		t.Helper()
		x := dialXMPP(t, s.addr["xmpps"], domain)
		x.login(who, password, domain, resource)
		return x
	}
	alice := enter("alice", "a")
	alice.send(`<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>`)
	alice.until(`<presence[^>]*>`)
	link := regexp.MustCompile(`xmpp:alice@localhost\?roster;preauth=([^;&<]+);ibr=y`)
	code := func() string {
		t.Helper()
		got := alice.command(domain, "urn:xmpp:invite#invite")
		m := link.FindStringSubmatch(strings.ReplaceAll(got, "&amp;", "&"))
		if m == nil {
			t.Fatalf("no link in %s", got)
		}
		return m[1]
	}

	// Bob has no account yet: he shows the code, and makes one on the same stream.
	token := code()
	bob := dialXMPP(t, s.addr["xmpps"], domain)
	if got := bob.ask("set", domain, `<preauth xmlns='urn:xmpp:pars:0' token='`+token+`'/>`); !strings.Contains(got, "type='result'") {
		t.Fatalf("the code: %s", got)
	}
	if got := bob.ask("set", domain, `<query xmlns='jabber:iq:register'><username>bob</username><password>`+password+`</password></query>`); !strings.Contains(got, "type='result'") {
		t.Fatalf("the account: %s", got)
	}
	alice.until(`<item jid='bob@localhost' subscription='both'/>`)
	bob.login("bob", password, domain, "b")
	bob.send(`<presence/>`)
	bob.until(`<presence[^>]*from='alice@localhost/a'`)
	alice.until(`<presence[^>]*from='bob@localhost/b'`)

	// Carol has one: she is let in by the code, without alice's doing.
	carol := enter("carol", "c")
	carol.send(`<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>`)
	carol.until(`<presence[^>]*>`)
	carol.send(`<presence type='subscribe' to='alice@localhost'><preauth xmlns='urn:xmpp:pars:0' token='` + code() + `'/></presence>`)
	carol.until(`<presence type='subscribed' from='alice@localhost'`)
	carol.send(`<message to='alice@localhost' type='chat'><body>Here I am</body></message>`)
	alice.until(`<body>Here I am</body>`)

	// What people may not do is not there for them.
	const admin = "http://jabber.org/protocol/admin#"
	hidden, absent := alice.command(domain, admin+"restart"), alice.command(domain, admin+"rest")
	if hidden != strings.ReplaceAll(absent, "rest'", "restart'") || !strings.Contains(hidden, "item-not-found") {
		t.Errorf("hidden: %s, absent: %s", hidden, absent)
	}
	chief := enter("chief", "r")
	if got := chief.command(domain, admin+"set-motd", "motd=Tea at five"); !strings.Contains(got, "completed") {
		t.Fatal(got)
	}
	alice.until(`<body>Tea at five</body>`)
	if got := chief.command(domain, admin+"restart", "delay=0"); !strings.Contains(got, "completed") {
		t.Fatal(got)
	}
	s.again(t)
	alice, chief = enter("alice", "a"), enter("chief", "r")
	for _, x := range []*xmppClient{chief, alice} { // who is told is told before the answer to the ping
		x.send(`<presence/><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>`)
	}
	if got := chief.until(`id='p'`); !strings.Contains(got, "<body>Tea at five</body>") {
		t.Errorf("after the restart chief got %s", got)
	}
	if got := alice.until(`id='p'`); strings.Contains(got, "Tea at five") {
		t.Errorf("alice was told twice: %s", got)
	}
}
