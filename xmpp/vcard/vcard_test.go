package vcard_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/sqlstore"
	"trivium/xmpp/vcard"
	. "trivium/xmpp/xmpptest"
)

func site(t *testing.T) (*Site, *Nodes) {
	nodes := &Nodes{}
	return Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		return []xmpp.Module{vcard.New(sqlstore.New(db), nodes)}
	}}), nodes
}

const (
	image    = "\x89PNG\r\n\x1a\nand so on"
	get      = "<vCard xmlns='vcard-temp'/>"
	metadata = "urn:xmpp:avatar:metadata"
	data     = "urn:xmpp:avatar:data"
)

func card(rest string) string {
	return "<vCard xmlns='vcard-temp'><FN>A &amp; B</FN>" + rest + "</vCard>"
}

func photo(b string) string {
	return "<PHOTO><TYPE>image/jpeg</TYPE><BINVAL>" + base64.StdEncoding.EncodeToString([]byte(b)) + "</BINVAL></PHOTO>"
}

func hash(b string) string {
	sum := sha1.Sum([]byte(b))
	return hex.EncodeToString(sum[:])
}

func owner(t *testing.T, s *Site, name string) xmpp.Owner {
	a, err := s.Identity.User(t.Context(), name)
	Must(t, err)
	return xmpp.Owner{Address: xmpp.NewAddress(string(a.Login), a.Domain), ID: a.ID}
}

func TestCard(t *testing.T) {
	s, _ := site(t)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	Has(t, "nothing yet", alice.Ask("get", "", get), "<vCard xmlns='vcard-temp'></vCard>")
	// An account without a card looks like one that there is not.
	nobody := bob.Ask("get", "nobody@"+Host, get)
	Has(t, "nobody", nobody, "<service-unavailable")
	if got, want := bob.Ask("get", Alice, get), strings.ReplaceAll(nobody, "nobody@"+Host, Alice); got != want {
		t.Errorf("of alice bob gets %q, of nobody %q", got, nobody)
	}
	Has(t, "set", alice.Ask("set", "", card("")), "<iq type='result'")
	Has(t, "own", alice.Ask("get", "", get), card(""))
	Has(t, "another's", bob.Ask("get", Alice, get), card(""))
	Has(t, "set another's", bob.Ask("set", Alice, card("")), "<service-unavailable")
	Has(t, "too large", alice.Ask("set", "", card("<DESC>"+strings.Repeat("x", 33<<10)+"</DESC>")), "<policy-violation")
	Has(t, "no picture", alice.Ask("set", "", card("<PHOTO><BINVAL>!!</BINVAL></PHOTO>")), "<not-acceptable")
	Has(t, "as before", alice.Ask("get", "", get), card(""))
}

// A picture in the card is the avatar, and goes with it.
func TestPicture(t *testing.T) {
	s, nodes := site(t)
	alice, bob := s.Friends()
	me := owner(t, s, "alice")
	Has(t, "set", alice.Ask("set", "", card(photo(image))), "<iq type='result'")
	items, err := nodes.Items(t.Context(), me, me, metadata)
	Must(t, err)
	if len(items) != 1 || items[0].ID != hash(image) || !strings.Contains(string(items[0].Payload), "type='image/png' bytes='17'") {
		t.Errorf("metadata: %q", items)
	}
	want := card("<PHOTO><TYPE>image/png</TYPE><BINVAL>" + base64.StdEncoding.EncodeToString([]byte(image)) + "</BINVAL></PHOTO>")
	Has(t, "own", alice.Ask("get", "", get), want)
	Has(t, "another's", bob.Ask("get", Alice, get), want)
	changes := nodes.Changes()
	Has(t, "the same again", alice.Ask("set", "", want), "<iq type='result'")
	if nodes.Changes() != changes {
		t.Error("the same picture was published again")
	}
	Has(t, "bob", alice.Then("<presence><show>away</show></presence>", bob)[1], "<show>away</show><x xmlns='vcard-temp:x:update'><photo>"+hash(image)+"</photo></x></presence>")
	Has(t, "none", alice.Ask("set", "", card("")), "<iq type='result'")
	Has(t, "own", alice.Ask("get", "", get), card(""))
	if got := alice.Then("<presence/>", bob)[1]; strings.Contains(got, "vcard-temp") {
		t.Errorf("bob got %q", got)
	}
}

// What a client publishes as its avatar is the picture of the card.
func TestAvatar(t *testing.T) {
	s, nodes := site(t)
	alice, bob := s.Friends()
	me := owner(t, s, "alice")
	info := "<metadata xmlns='" + metadata + "'><info url='https://example.net/x' id='1'/><info id='" + hash(image) + "' type='image/png'/></metadata>"
	Must(t, nodes.Publish(t.Context(), me, data, xmpp.Item{ID: hash(image), Payload: []byte("<data xmlns='" + data + "'>" + base64.StdEncoding.EncodeToString([]byte(image)) + "</data>")}, "presence", 1))
	Must(t, nodes.Publish(t.Context(), me, metadata, xmpp.Item{ID: hash(image), Payload: []byte(info)}, "presence", 1))
	Has(t, "own", alice.Ask("get", "", get), "<PHOTO><TYPE>image/png</TYPE><BINVAL>")
	if got := bob.Ask("get", Alice, get); strings.Contains(got, "PHOTO") {
		t.Errorf("bob sees what he may not read: %q", got)
	}
	for _, tt := range []struct{ name, said, want string }{
		{"says nothing", "", "<photo>" + hash(image) + "</photo></x></presence>"},
		{"knows none yet", "<x xmlns='vcard-temp:x:update'/>", "<photo>" + hash(image) + "</photo></x></presence>"},
		{"another one", "<x xmlns='vcard-temp:x:update'><photo>abc</photo></x>", "<photo>" + hash(image) + "</photo></x></presence>"},
		{"shows none", "<x xmlns='vcard-temp:x:update'><photo/></x>", "<x xmlns='vcard-temp:x:update'><photo/></x></presence>"},
	} {
		for _, to := range []string{"", " to='" + bob.JID + "'"} {
			got := alice.Then("<presence"+to+">"+tt.said+"</presence>", bob)[1]
			if Has(t, tt.name, got, tt.want); strings.Count(got, "<photo") != 1 {
				t.Errorf("%s: %q", tt.name, got)
			}
		}
	}
}

const (
	node4 = "urn:xmpp:vcard4"
	get4  = "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>"
)

func card4(rest string) string {
	return "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>" + rest + "</vcard>"
}

// Whatever form a card is set in, it is one card.
func TestOneCard(t *testing.T) {
	s, nodes := site(t)
	alice, bob := s.Friends()
	me := owner(t, s, "alice")
	published := func() string {
		t.Helper()
		items, err := nodes.Items(t.Context(), me, me, node4)
		Must(t, err)
		if len(items) != 1 {
			t.Fatalf("%d cards are in the node", len(items))
		}
		return string(items[0].Payload)
	}
	for _, target := range []string{"", Host} {
		Has(t, "disco", alice.Ask("get", target, "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<feature var='urn:ietf:params:xml:ns:vcard-4.0'/>")
	}
	Has(t, "nothing yet", alice.Ask("get", "", get4), "<item-not-found")
	nobody := bob.Ask("get", "nobody@"+Host, get4)
	Has(t, "nobody", nobody, "<service-unavailable")
	if got, want := bob.Ask("get", Alice, get4), strings.ReplaceAll(nobody, "nobody@"+Host, Alice); got != want {
		t.Errorf("of alice bob gets %q, of nobody %q", got, nobody)
	}

	set := card("<LABEL><HOME/><LINE>x</LINE></LABEL><TEL><HOME/><VOICE/><PREF/><NUMBER>+1-303</NUMBER></TEL>")
	want := card4("<fn><text>A &amp; B</text></fn><tel><parameters><type><text>home</text><text>voice</text></type><pref><integer>1</integer></pref></parameters><uri>tel:+1-303</uri></tel>")
	Has(t, "set in the old form", alice.Ask("set", "", set), "<iq type='result'")
	if got := published(); got != want {
		t.Errorf("the node has %s, want %s", got, want)
	}
	Has(t, "by IQ", bob.Ask("get", Alice, get4), want)
	Has(t, "as it came", bob.Ask("get", Alice, get), set)
	changes := nodes.Changes()
	Has(t, "the same again", alice.Ask("set", "", set), "<iq type='result'")
	if nodes.Changes() != changes {
		t.Error("the same card was published again")
	}

	other := card4("<fn><text>C</text></fn><note><text>D</text></note>")
	Has(t, "set by IQ", alice.Ask("set", "", other), "<iq type='result'")
	if got := published(); got != other {
		t.Errorf("the node has %s", got)
	}
	Has(t, "in the old form", bob.Ask("get", Alice, get), "<vCard xmlns='vcard-temp'><FN>C</FN><DESC>D</DESC></vCard>")
	Must(t, nodes.Publish(t.Context(), me, node4, xmpp.Item{ID: "x", Payload: []byte(want)}, "open", 1))
	Has(t, "published again as it was", bob.Ask("get", Alice, get), set)
	Has(t, "another's", bob.Ask("set", Alice, other), "<service-unavailable")
	Has(t, "too large", alice.Ask("set", "", card4("<note><text>"+strings.Repeat("x", 65<<10)+"</text></note>")), "<policy-violation")
	Has(t, "too large in the other form", alice.Ask("set", "", card(strings.Repeat("<TZ/>", 6000))), "<policy-violation")

	Must(t, nodes.Retract(t.Context(), me, node4, "x"))
	Has(t, "taken back", alice.Ask("get", "", get), "<vCard xmlns='vcard-temp'></vCard>")
	Has(t, "taken back", bob.Ask("get", Alice, get), "<service-unavailable")
}

// Who may not read the node sees the card in no form.
func TestClosedCard(t *testing.T) {
	s, nodes := site(t)
	alice, bob := s.Friends()
	me := owner(t, s, "alice")
	Must(t, nodes.Publish(t.Context(), me, node4, xmpp.Item{ID: "x", Payload: []byte(card4("<fn><text>C</text></fn>"))}, "presence", 1))
	Has(t, "own", alice.Ask("get", "", get), "<FN>C</FN>")
	for _, ask := range []string{get, get4} {
		nobody := bob.Ask("get", "nobody@"+Host, ask)
		if got := bob.Ask("get", Alice, ask); got != strings.ReplaceAll(nobody, "nobody@"+Host, Alice) {
			t.Errorf("of alice bob gets %q", got)
		}
	}
}

// A picture that was set outside of chat is the avatar, and the other way round.
func TestAvatarOfPages(t *testing.T) {
	var cards *vcard.VCard
	s := Start(t, Options{Modules: func(db *sqldb.DB, _ *identity.Service) []xmpp.Module {
		cards = vcard.New(sqlstore.New(db), &Nodes{})
		return []xmpp.Module{cards}
	}})
	alice := s.Online("alice", "a")
	a, err := s.Identity.User(t.Context(), "alice")
	Must(t, err)
	Must(t, cards.SetAvatar(t.Context(), a, []byte(image), "image/png"))
	Has(t, "in chat", alice.Ask("get", "", get), "<PHOTO><TYPE>image/png</TYPE><BINVAL>"+base64.StdEncoding.EncodeToString([]byte(image)))
	if got := cards.Hash(t.Context(), a); got != hash(image) {
		t.Errorf("the hash is %q", got)
	}
	alice.Ask("set", "", card(photo("\xff\xd8\xffanother")))
	if b, kind, err := cards.Avatar(t.Context(), a); err != nil || string(b) != "\xff\xd8\xffanother" || kind != "image/jpeg" {
		t.Errorf("the picture is %q, %s, %v", b, kind, err)
	}
	Must(t, cards.SetAvatar(t.Context(), a, nil, ""))
	if b, _, err := cards.Avatar(t.Context(), a); err != nil || b != nil || cards.Hash(t.Context(), a) != "" {
		t.Errorf("removed: %q, %v", b, err)
	}
	if err := cards.SetAvatar(t.Context(), a, make([]byte, 193<<10), "image/png"); err == nil {
		t.Error("a picture of 193 KiB was taken")
	}
}
