package contact_test

import (
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/contact"
	. "trivium/xmpp/xmpptest"
)

func info(t *testing.T, o contact.Options) string {
	s := Start(t, Options{Modules: func(*sqldb.DB, *identity.Service) []xmpp.Module { return []xmpp.Module{contact.New(o)} }})
	return s.Online("alice", "a").Ask("get", Host, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
}

func TestContact(t *testing.T) {
	Has(t, "alice", info(t, contact.Options{Admin: []string{"mailto:admin@example.org", "https://example.org/?a=1&b"}, Abuse: []string{"xmpp:abuse@example.org"}}),
		"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>"+
			"<field var='abuse-addresses' type='list-multi'><value>xmpp:abuse@example.org</value></field>"+
			"<field var='admin-addresses' type='list-multi'><value>mailto:admin@example.org</value><value>https://example.org/?a=1&amp;b</value></field></x></query>")
	if got := info(t, contact.Options{}); strings.Contains(got, "serverinfo") {
		t.Errorf("a form without addresses: %s", got)
	}
}
