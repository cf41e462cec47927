package app

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	identitystore "trivium/identity/sqlstore"
	"trivium/xmpp"
	"trivium/xmpp/mam"
	mamstore "trivium/xmpp/mam/sqlstore"
	away "trivium/xmpp/offline"
	"trivium/xmpp/pubsub"
	pubsubstore "trivium/xmpp/pubsub/sqlstore"
	xmppstore "trivium/xmpp/sqlstore"
)

// What one server writes of an account another one reads, and writes the same again but for what is
// not read.
func TestChatDataMovesHouse(t *testing.T) {
	ctx := t.Context()
	cfg := loadTest(t, filepath.Join(t.TempDir(), "data"))
	ask(t, cfg, http.MethodPost, "/users", `{"login":"alice"}`)
	db, err := openStore(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	acc, err := identitystore.New(db).Account(ctx, cfg.Domain, "alice")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id, self, small := acc.ID, "alice@"+cfg.Domain, xmppstore.New(db)
	at := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	must(small.Write(ctx, func(w xmpp.StoreWriter) error {
		for _, c := range []xmpp.Contact{
			{JID: "bob@example.net", Name: "B & B", Groups: []string{"Friends", "Work"}, State: xmpp.SubscriptionBoth, Listed: true},
			{JID: "carol@example.net", State: xmpp.SubscriptionTo | xmpp.PendingIn, Listed: true, Request: []byte("<presence type='subscribe' from='carol@example.net'/>")},
			{JID: "dave@example.net", State: xmpp.PendingOut, Listed: true},
			{JID: "eve@example.net", State: xmpp.PendingIn, Request: []byte("<presence type='subscribe' from='eve@example.net'/>")},
		} {
			if err := w.PutContact(ctx, id, c); err != nil {
				return err
			}
		}
		return nil
	}))
	must(small.Block(ctx, id, "spam.example", "mallory@example.net"))
	must(small.PutVCard(ctx, id, []byte("<vCard xmlns='vcard-temp'><FN>Alice</FN></vCard>")))
	must(small.PutPrivate(ctx, id, xml.Name{Space: "exodus:prefs", Local: "exodus"}, []byte("<exodus xmlns='exodus:prefs'><nick>&lt;A&gt;</nick></exodus>")))
	_, err = small.Keep(ctx, []away.Waiting{{Owner: id, From: "bob@example.net/x", At: at, Stanza: []byte("<message from='bob@example.net/x' to='" + self + "' type='chat'><body>later</body></message>")}}, 10)
	must(err)
	nodes := pubsubstore.New(db)
	must(nodes.Write(ctx, func(w pubsub.StoreWriter) error {
		n := pubsub.Node{Owner: id, JID: self, Name: "http://jabber.org/protocol/nick", Created: at}
		pubsub.Public(&n.Config)
		n.Config.Publish, n.Config.Full, n.Config.SendLast, n.Config.ItemReply, n.Config.NotifyType = "publishers", "retract-oldest", "never", "none", "normal"
		if err := w.PutNode(ctx, n); err != nil {
			return err
		}
		if err := w.PutItem(ctx, id, n.Name, pubsub.Item{ID: "current", Payload: []byte("<nick xmlns='http://jabber.org/protocol/nick'>Al</nick>"), Published: at}); err != nil {
			return err
		}
		card := pubsub.Node{Owner: id, JID: self, Name: "urn:xmpp:vcard4", Created: at, Config: n.Config}
		if err := w.PutNode(ctx, card); err != nil {
			return err
		}
		if err := w.PutItem(ctx, id, card.Name, pubsub.Item{ID: "current", Payload: []byte("<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>Alice</text></fn></vcard>"), Published: at}); err != nil {
			return err
		}
		marks := pubsub.Node{Owner: id, JID: self, Name: "urn:xmpp:bookmarks:1", Created: at}
		pubsub.Private(&marks.Config)
		marks.Config.Publish, marks.Config.Full, marks.Config.ItemReply, marks.Config.NotifyType = "publishers", "reject", "none", "headline"
		if err := w.PutNode(ctx, marks); err != nil {
			return err
		}
		for _, name := range []string{"b", "a"} { // the order stays
			if err := w.PutItem(ctx, id, marks.Name, pubsub.Item{ID: name + "@rooms.example", Payload: []byte("<conference xmlns='urn:xmpp:bookmarks:1' name='&lt;'></conference>"), Published: at}); err != nil {
				return err
			}
		}
		if err := w.PutAffiliation(ctx, id, pubsub.Affiliated{Node: marks.Name, JID: "bob@example.net", Affiliation: pubsub.Member}); err != nil {
			return err
		}
		return w.PutSubscription(ctx, id, pubsub.Subscription{Node: marks.Name, JID: "bob@example.net/x", Bare: "bob@example.net"})
	}))
	archive, err := mamstore.Open(ctx, db, mamstore.Options{})
	must(err)
	kept := make(chan error, 1)
	_, err = archive.Put(ctx, mam.Message{From: id, FromJID: self, ToJID: "bob@example.net", Stanza: []byte("<message from='" + self + "/a' to='bob@example.net'><body>kept</body></message>")}, func(err error) { kept <- err })
	must(err)
	must(<-kept)
	must(archive.PutSettings(ctx, id, []byte(`{"default":"roster","always":["bob@example.net"],"never":["mallory@example.net","spam.example"]}`)))
	archive.Close()
	must(db.Close())

	var out bytes.Buffer
	must(ExportChat(ctx, cfg, "alice", false, &out))
	text := out.String()
	for _, want := range []string{
		"<server-data xmlns='urn:xmpp:pie:0'>\n<host jid='" + cfg.Domain + "'>\n<user name='alice'>",
		"<item jid='bob@example.net' name='B &amp; B' subscription='both'><group>Friends</group><group>Work</group></item>",
		"<presence xmlns='jabber:client' type='subscribe' from='eve@example.net'/>",
		"<blocklist xmlns='urn:xmpp:blocking'><item jid='mallory@example.net'/><item jid='spam.example'/></blocklist>",
		"<FN>Alice</FN>", "<query xmlns='jabber:iq:private'><exodus", "<offline-messages>\n<message xmlns='jabber:client'", "stamp='2025-03-04T05:06:07Z'",
		"<configure node='http://jabber.org/protocol/nick'>", "pubsub#access_model", "<items node='http://jabber.org/protocol/nick'>\n<item id='current'><nick",
		"<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>bob@example.net</jid></always><never><jid>mallory@example.net</jid><jid>spam.example</jid></never></prefs>",
		"<archive xmlns='urn:xmpp:pie:0#mam'>\n<result xmlns='urn:xmpp:mam:2' id='", "<body>kept</body></message></forwarded></result>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if err := xml.Unmarshal(out.Bytes(), new(struct{})); err != nil {
		t.Errorf("it is no XML: %v", err)
	}
	if err := ExportChat(ctx, cfg, "nobody", false, &out); !errors.Is(err, ErrNoAccount) {
		t.Errorf("of nobody: %v", err)
	}

	other := loadTest(t, filepath.Join(t.TempDir(), "data"))
	bring := func(dry bool) string {
		t.Helper()
		var lines []string
		must(ImportChat(ctx, other, strings.NewReader(text), dry, func(r ChatReport) error {
			lines = append(lines, r.String())
			return nil
		}))
		return strings.Join(lines, "\n")
	}
	if got := bring(false); got != self+": there is no such account; add it first" {
		t.Error(got)
	}
	ask(t, other, http.MethodPost, "/users", `{"login":"alice"}`)
	const taken = ": 4 contacts, 2 requests, 2 blocked, vCard, 1 private elements, 1 waiting messages, 3 nodes, 4 items, 1 messages of the archive, preferences of the archive"
	for _, dry := range []bool{true, true, false} { // what is dry leaves nothing behind
		if got := bring(dry); got != self+taken {
			t.Errorf("dry %v: %s", dry, got)
		}
	}
	var again bytes.Buffer
	must(ExportChat(ctx, other, "alice", false, &again))
	// Ids of an archive are its own.
	same := func(s string) string { return regexp.MustCompile(`mam:2' id='\d+'`).ReplaceAllString(s, "") }
	if same(again.String()) != same(text) {
		t.Errorf("written first:\n%s\nand then:\n%s", same(text), same(again.String()))
	}
	bring(false)
	again.Reset()
	must(ExportChat(ctx, other, "alice", false, &again))
	if same(again.String()) != same(text) {
		t.Errorf("after the second time:\n%s", same(again.String()))
	}

	_, stop := serveTest(t, other)
	if err := ExportChat(ctx, other, "alice", false, &again); !errors.Is(err, ErrRunning) {
		t.Errorf("while the server runs: %v", err)
	}
	must(stop())
}

// An account that goes to another server with its keys logs in there by the password it had.
func TestKeysMove(t *testing.T) {
	ctx := t.Context()
	cfg := loadTest(t, filepath.Join(t.TempDir(), "data"))
	const password = "a password of a person 9"
	ask(t, cfg, http.MethodPost, "/users", `{"login":"alice","password":"`+password+`"}`)
	var plain, with bytes.Buffer
	if err := errors.Join(ExportChat(ctx, cfg, "alice", false, &plain), ExportChat(ctx, cfg, "alice", true, &with)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "scram") || !strings.Contains(with.String(), "<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-256'><iter-count>") {
		t.Fatalf("without keys:\n%s\nwith:\n%s", plain.String(), with.String())
	}
	file := filepath.Join(t.TempDir(), "alice.xml")
	if err := os.WriteFile(file, with.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []ImportRecord
	if err := ReadAccounts(ImportFiles{Format: "xep0227", File: file}, func(r ImportRecord) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(got[0].Hashes) == 0 || !strings.HasPrefix(got[0].Hashes[0], "SCRAM-SHA-256$") || len(got[0].Warnings) > 0 {
		t.Fatalf("%+v of %s", got, with.String())
	}
	// What another server makes of it is the same keys.
	body, err := json.Marshal(map[string]any{"accounts": got})
	if err != nil {
		t.Fatal(err)
	}
	other := loadTest(t, filepath.Join(t.TempDir(), "data"))
	ask(t, other, http.MethodPost, "/users/import", string(body))
	var again bytes.Buffer
	if err := ExportChat(ctx, other, "alice", true, &again); err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`<scram-credentials.*</scram-credentials>`)
	if a, b := keys.FindString(with.String()), keys.FindString(again.String()); a == "" || a != b {
		t.Errorf("%q became %q", a, b)
	}
}
