package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// goldenPath is what other programs wrote (identity/importer/testdata/README.md says which).
func goldenPath(t *testing.T, name string) string {
	t.Helper()
	p, err := filepath.Abs(filepath.Join("..", "identity", "importer", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// oldPassword is the one of all accounts there.
const oldPassword = "correct horse"

// scram logs in by SASL SCRAM without channel binding, and reports whether it went well.
func (x *xmppClient) scram(h scram.HashGeneratorFcn, mechanism, user, password string) bool {
	x.t.Helper()
	c, err := h.NewClient(user, password, "")
	if err != nil {
		x.t.Fatal(err)
	}
	conv := c.NewConversation()
	first, err := conv.Step("")
	if err != nil {
		x.t.Fatal(err)
	}
	b64 := base64.StdEncoding
	const ns = ` xmlns='urn:ietf:params:xml:ns:xmpp-sasl'`
	x.send(`<auth` + ns + ` mechanism='` + mechanism + `'>` + b64.EncodeToString([]byte(first)) + `</auth>`)
	answer := regexp.MustCompile(`<(challenge|success|failure)[^>]*>([^<]*)`)
	m := answer.FindStringSubmatch(x.until(`</(challenge|success|failure)>`))
	if m == nil || m[1] != "challenge" {
		return false
	}
	text, err := b64.DecodeString(m[2])
	if err != nil {
		x.t.Fatal(err)
	}
	proof, err := conv.Step(string(text))
	if err != nil {
		x.t.Fatal(err)
	}
	x.send(`<response` + ns + `>` + b64.EncodeToString([]byte(proof)) + `</response>`)
	m = answer.FindStringSubmatch(x.until(`</(challenge|success|failure)>`))
	if m == nil || m[1] != "success" {
		return false
	}
	if text, err = b64.DecodeString(m[2]); err != nil {
		x.t.Fatal(err)
	}
	_, err = conv.Step(string(text))
	return err == nil && conv.Valid()
}

// TestMoveIn: who had a password elsewhere has it here, on every road, while the server runs.
func TestMoveIn(t *testing.T) {
	s := serve(t, "--set", "domain=example.org")
	s.run(t, "", "user", "import", goldenPath(t, "passwd"), "--shadow", goldenPath(t, "shadow"), "--groups", goldenPath(t, "group"), "--level-of-group", "team=staff")
	s.run(t, "", "user", "import", "--from", "proftpd", goldenPath(t, "proftpd.passwd"), "--groups", goldenPath(t, "proftpd.group"))

	scrams := func(user string) bool {
		return dialXMPP(t, s.addr["xmpps"], "example.org").scram(scram.SHA256, "SCRAM-SHA-256", user, oldPassword)
	}
	for user, first := range map[string]func(){
		"ann":   func() { dialFTP(t, s.addr["ftp"]).login("ann", oldPassword) },                                           // yescrypt
		"bea":   func() { newWeb(t, s.addr["web"]).login("bea", oldPassword) },                                            // SHA-512
		"two":   func() { dialXMPP(t, s.addr["xmpps"], "example.org").authenticate("two", oldPassword, "example.org") },   // MD5
		"three": func() { dialXMPP(t, s.addr["xmpps"], "example.org").authenticate("three", oldPassword, "example.org") }, // DES
	} {
		if scrams(user) {
			t.Errorf("%s logged in by SCRAM before anybody knew the password", user)
		}
		first()
		if !scrams(user) {
			t.Errorf("%s cannot log in by SCRAM after a log-in with the password", user)
		}
	}
	locked := dialFTP(t, s.addr["ftp"])
	locked.do("USER cat", "331")
	locked.do("PASS "+oldPassword, "530")
	if out := s.run(t, "", "user", "show", "ann"); !strings.Contains(out, "4101") || !strings.Contains(out, "team") || !strings.Contains(out, "staff") {
		t.Errorf("ann: %s", out)
	}
}

// TestMoveInFromChat: SCRAM keys of other chat servers work at once, where clients speak their hash.
func TestMoveInFromChat(t *testing.T) {
	s := serve(t, "--set", "domain=example.org", "--set", "xmpp.scram_sha1=true")
	s.run(t, "", "user", "import", goldenPath(t, "prosody"))
	in := func(h scram.HashGeneratorFcn, mechanism, user string) bool {
		return dialXMPP(t, s.addr["xmpps"], "example.org").scram(h, mechanism, user, oldPassword)
	}
	if !in(scram.SHA1, "SCRAM-SHA-1", "one") {
		t.Error("one, whose keys Prosody made with SHA-1, cannot log in by them")
	}
	if !in(scram.SHA256, "SCRAM-SHA-256", "two") {
		t.Error("two, whose keys Prosody made with SHA-256, cannot log in by them")
	}
	if in(scram.SHA256, "SCRAM-SHA-256", "one") {
		t.Error("one logged in by keys that nobody has made")
	}
	dialFTP(t, s.addr["ftp"]).login("one", oldPassword)
	if !in(scram.SHA256, "SCRAM-SHA-256", "one") {
		t.Error("one has no keys of SHA-256 after a log-in with the password")
	}
	if !in(scram.SHA256, "SCRAM-SHA-256", "three") {
		t.Error("three, whose password Prosody kept as it is, cannot log in by SCRAM")
	}
}

// TestMoveInFromEjabberd reads what export_piefxis wrote, and comes again after half of it.
func TestMoveInFromEjabberd(t *testing.T) {
	s := serve(t, "--set", "domain=example.org", "--set", "xmpp.scram_sha1=true")
	s.run(t, "", "user", "import", goldenPath(t, "ejabberd.xml"), "--only", "accounts")
	if !dialXMPP(t, s.addr["xmpps"], "example.org").scram(scram.SHA1, "SCRAM-SHA-1", "one", oldPassword) {
		t.Error("one cannot log in by the keys that ejabberd made")
	}
	again := s.run(t, "", "user", "import", goldenPath(t, "ejabberd.xml"), "--only", "accounts")
	if !strings.Contains(again, "2 same") {
		t.Errorf("the second import: %s", again)
	}
	list := filepath.Join(t.TempDir(), "people.csv")
	text := "login,uid,password\none,,x\n../x,,x\ntoor,0,x\nаdmin,,x\nfine,,a long enough password\n"
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dry := s.run(t, "", "user", "import", list, "--dry-run")
	did := s.run(t, "", "user", "import", list)
	for _, out := range []string{dry, did} {
		if !strings.Contains(out, "1 added, 1 same, 3 skipped") {
			t.Errorf("hostile names: %s", out)
		}
	}
	if !dialXMPP(t, s.addr["xmpps"], "example.org").scram(scram.SHA256, "SCRAM-SHA-256", "fine", "a long enough password") {
		t.Error("fine cannot log in")
	}
}
