package importer

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// prosodyData is as Prosody 0.12 writes it, less what is of no interest.
func prosodyData() fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"accounts/j%2eu.dat": `return { ["password"] = "x" };`,
		"accounts/kim.dat":   `return { ["password"] = "y" };`,
		"roster/j%2eu.dat": `return {
	[false] = { ["version"] = 6; ["pending"] = { ["dave@example.org"] = { ["attr"] = { ["type"] = "subscribe"; }; ["name"] = "presence"; }; ["eve@example.org"] = true; }; };
	["bob@example.org"] = { ["groups"] = { ["Friends"] = true; ["B\195\188ro"] = true; }; ["subscription"] = "both"; ["name"] = "B&b <3"; };
	["ann@example.org"] = { ["groups"] = {}; ["subscription"] = "none"; ["ask"] = "subscribe"; ["approved"] = true; };
};`,
		"blocklist/j%2eu.dat": `return { [false] = { ["created"] = 1; }; ["spam@example.net"] = true; };`,
		"private/j%2eu.dat":   `return { ["exodus:exodus:prefs"] = { { "Ha & mlet"; ["name"] = "nick"; ["attr"] = {}; }; ["name"] = "exodus"; ["attr"] = { ["xmlns"] = "exodus:prefs"; ["urn:y\1z"] = "1"; }; }; };`,
		"offline/j%2eu.list": `item({ { "while away"; ["name"] = "body"; ["attr"] = {}; }; ["with"] = ""; ["name"] = "message"; ["when"] = 1795285817.25;
	["attr"] = { ["type"] = "chat"; ["stamp"] = "2026-11-21T18:30:17Z"; ["to"] = "j.u@example.org"; ["from"] = "bob@example.org/pc"; ["xml:lang"] = "en"; }; ["key"] = "k"; });
`,
		"archive/j%2eu.list": `item({ { "h\195\164llo <b>\1"; ["name"] = "body"; ["attr"] = {}; }; { ["attr"] = { ["n"] = "1"; ["xmlns"] = "urn:x"; ["xml:lang"] = "de"; }; ["name"] = "x"; };
	["with"] = "bob@example.org"; ["name"] = "message"; ["when"] = 1795285805; ["attr"] = { ["stamp"] = "2026-11-21T18:30:05Z"; ["to"] = "bob@example.org"; ["from"] = "j.u@example.org/phone"; }; ["key"] = "a1"; });
item({ ["name"] = "message"; ["attr"] = { ["stamp"] = "2010-11-21T18:30:05Z"; ["to"] = "bob@example.org"; ["from"] = "j.u@example.org/phone"; }; ["key"] = "a0"; });
item({ ["name"] = "message"; ["attr"] = {}; ["key"] = "no time"; });
item({ ["name"] = "x onload='"; ["when"] = 1; });
`,
		"pep/j%2eu.dat": `return {
	["http://jabber.org/protocol/nick"] = { ["name"] = "http://jabber.org/protocol/nick"; ["subscribers"] = { ["bob@example.org/pc"] = true; }; ["affiliations"] = { ["bob@example.org"] = "member"; };
		["config"] = { ["_defaults_only"] = true; ["access_model"] = "open"; ["max_items"] = "max"; ["persist_items"] = true; }; };
	["old"] = true;
};`,
		"pep_http%3a%2f%2fjabber%2eorg%2fprotocol%2fnick/j%2eu.list": `item({ "Ali"; ["with"] = "j.u@example.org"; ["attr"] = { ["xmlns"] = "http://jabber.org/protocol/nick"; ["stamp"] = "2026-11-21T18:30:03Z"; }; ["when"] = 1795285803; ["name"] = "nick"; ["key"] = "current"; });
`,
		"pep_urn%3axmpp%3avcard4/j%2eu.list": `item({ { { "Jule U."; ["name"] = "text"; ["attr"] = {}; }; ["name"] = "fn"; ["attr"] = {}; };
	{ { "U."; ["name"] = "surname"; ["attr"] = {}; }; { ["name"] = "given"; ["attr"] = {}; }; ["name"] = "n"; ["attr"] = {}; };
	{ { { "x"; ["name"] = "type"; ["attr"] = {}; }; ["name"] = "parameters"; ["attr"] = {}; }; { "j@example.org"; ["name"] = "text"; ["attr"] = {}; }; ["name"] = "email"; ["attr"] = {}; };
	["name"] = "vcard"; ["attr"] = { ["xmlns"] = "urn:ietf:params:xml:ns:vcard-4.0"; }; ["key"] = "current"; });
`,
		"vcard/kim.dat":  `return { { "Kim"; ["name"] = "FN"; ["attr"] = {}; }; ["name"] = "vCard"; ["attr"] = { ["xmlns"] = "vcard-temp"; }; };`,
		"roster/kim.dat": `return os.exit()`,
	} {
		files["example%2eorg/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	files["other%2eexample/roster/x.dat"] = &fstest.MapFile{Data: []byte("return {}")}
	return files
}

func TestProsodyChat(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var faults []string
	if err := ProsodyChat(prosodyData(), &out, func(name string, err error) { faults = append(faults, name) }); err != nil {
		t.Fatal(err)
	}
	if strings.Join(faults, " ") != "example%2eorg/roster/kim.dat" {
		t.Errorf("faults %q", faults)
	}
	text := out.String()
	for _, want := range []string{
		"<host jid='example.org'>\n<user name='j.u'>\n<query xmlns='jabber:iq:roster'>\n" +
			"<item jid='ann@example.org' subscription='none' ask='subscribe' approved='true'></item>\n" +
			"<item jid='bob@example.org' name='B&amp;b &lt;3' subscription='both'><group>Büro</group><group>Friends</group></item>\n</query>\n" +
			"<presence xmlns='jabber:client' type='subscribe' from='dave@example.org'/>\n<presence xmlns='jabber:client' type='subscribe' from='eve@example.org'/>\n",
		"<blocklist xmlns='urn:xmpp:blocking'><item jid='spam@example.net'/></blocklist>",
		"<vCard xmlns='vcard-temp'><FN>Jule U.</FN><N><FAMILY>U.</FAMILY></N><EMAIL><USERID>j@example.org</USERID></EMAIL></vCard>",
		"<exodus xmlns:p1='urn:y' p1:z='1' xmlns='exodus:prefs'><nick>Ha &amp; mlet</nick></exodus>",
		"<message from='bob@example.org/pc' to='j.u@example.org' type='chat' xml:lang='en' xmlns='jabber:client'><body>while away</body><delay xmlns='urn:xmpp:delay' from='example.org' stamp='2026-11-21T18:30:17.25Z'/></message>",
		"<configure node='http://jabber.org/protocol/nick'><x xmlns='jabber:x:data' type='submit'><field var='pubsub#access_model'><value>open</value></field><field var='pubsub#max_items'><value>max</value></field><field var='pubsub#persist_items'><value>1</value></field></x></configure>",
		"<affiliation jid='bob@example.org' affiliation='member'/>", "<subscription jid='bob@example.org/pc' subscription='subscribed'/>",
		"<items node='http://jabber.org/protocol/nick'>\n<item id='current'><nick xmlns='http://jabber.org/protocol/nick'>Ali</nick></item>\n</items>",
		"<configure node='old'>",
		"<result xmlns='urn:xmpp:mam:2' id='a1'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-11-21T18:30:05Z'/><message from='j.u@example.org/phone' to='bob@example.org' xmlns='jabber:client'><body>hällo &lt;b&gt;\uFFFD</body><x n='1' xml:lang='de' xmlns='urn:x'></x></message></forwarded></result>",
		"id='a0'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2010-11-21T18:30:05Z'/>",
		"<user name='kim'>\n<vCard xmlns='vcard-temp'><FN>Kim</FN></vCard>\n<offline",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, not := range []string{"onload", "no time", "other.example", "password", "pending"} {
		if strings.Contains(text, not) {
			t.Errorf("%s in it", not)
		}
	}
	if err := wellFormed(text); err != nil || t.Failed() {
		t.Errorf("%v in\n%s", err, text)
	}
}

func wellFormed(text string) error {
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// What Prosody 0.12 wrote of a conversation.
func TestProsodyConversation(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := ProsodyChat(os.DirFS("testdata/prosody_chat"), &out, func(name string, err error) { t.Errorf("%s: %v", name, err) }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<prefs xmlns='urn:xmpp:mam:2' default='roster'><always></always><never><jid>tybalt@example.org</jid></never></prefs>",
		"<item jid='romeo@example.org' name='Romeo &amp; co' subscription='both'><group>Friends</group></item>",
		"Wherefore art thou &lt;Romeo&gt;?", "<items node='urn:xmpp:vcard4'>",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}

func TestProsodyPreferences(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ lua, want string }{
		{"return { [false] = false; };", "default='never'><always></always><never></never>"},
		{"return { [false] = true; [\"a@b\"] = true; [\"c<@d\"] = true; };", "default='always'><always><jid>a@b</jid><jid>c&lt;@d</jid></always><never></never>"},
		{"return { [\"a@b\"] = \"x\"; };", "default='always'><always></always><never></never>"},
	} {
		var out bytes.Buffer
		files := fstest.MapFS{"h/accounts/a.dat": {Data: []byte("return { password = 'x' };")}, "h/archive_prefs/a.dat": {Data: []byte(tt.lua)}}
		if err := ProsodyChat(files, &out, func(name string, err error) { t.Errorf("%s: %v", name, err) }); err != nil || !strings.Contains(out.String(), tt.want) {
			t.Errorf("of %s: %v, %s", tt.lua, err, out.String())
		}
	}
}

// A writer that fails ends it.
func TestProsodyChatBroken(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	_ = r.CloseWithError(fs.ErrClosed)
	if err := ProsodyChat(prosodyData(), w, func(string, error) {}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// FuzzProsodyChat: whatever the files hold, what is written is XML.
func FuzzProsodyChat(f *testing.F) {
	for name, file := range prosodyData() {
		f.Add(strings.TrimPrefix(name, "example%2eorg/"), string(file.Data))
	}
	f.Add("archive/j%2eu.list", `item({ ["name"]="message"; ["when"]=-1e300; ["attr"]={["a b"]="'"; ["\1"]="x"; ["xml:a"]="y"; ["xmlns:q"]=1} })`)
	f.Fuzz(func(t *testing.T, name, text string) {
		data := prosodyData()
		if !fs.ValidPath("example%2eorg/"+name) || strings.HasSuffix(name, "/") || !strings.Contains(name, "/") {
			return
		}
		for had := range data { // a file is no folder
			if strings.HasPrefix(had, "example%2eorg/"+name+"/") || strings.HasPrefix("example%2eorg/"+name, had+"/") {
				return
			}
		}
		data["example%2eorg/"+name] = &fstest.MapFile{Data: []byte(text)}
		var out bytes.Buffer
		if err := ProsodyChat(data, &out, func(string, error) {}); err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(out.String()); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
	})
}
