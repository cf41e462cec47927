package xmpp_test

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // RFC 5802 names it
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/xmpp"
)

// old makes a site whose accounts are older than its policy: their passwords were kept as before says.
func old(t *testing.T, before func(*identity.Options), after options) *site {
	t.Helper()
	var kept identity.Options
	return start(t, options{
		identity: func(o *identity.Options) {
			kept = *o
			before(&kept)
			svc, err := identity.New(t.Context(), kept)
			must(t, err)
			for _, name := range []string{"dora", "emil"} {
				_, err = svc.AddUser(t.Context(), byMachine, identity.NewUser{Login: name, Password: identity.NewSecret(password)})
				must(t, err)
			}
			if after.identity != nil {
				after.identity(o)
			}
		},
		xmpp: after.xmpp,
	})
}

var saltForm = regexp.MustCompile(`<task-data xmlns='urn:xmpp:sasl:2'><salt xmlns='urn:xmpp:scram-upgrade:0' iterations='(\d+)'>([^<]+)</salt></task-data>`)

// upgrade goes through one task, from the `<continue/>` on.
func (p *peer) upgrade(task string, h func() hash.Hash) {
	p.t.Helper()
	check(p.t, p.expect("</continue>"), "<tasks><task>"+task+"</task></tasks></continue>")
	p.send("<next xmlns='urn:xmpp:sasl:2' task='" + task + "'/>")
	m := saltForm.FindStringSubmatch(p.expect("</task-data>"))
	if m == nil {
		p.t.Fatal("no salt")
	}
	n, _ := strconv.Atoi(m[1])
	salted, err := pbkdf2.Key(h, password, []byte(unb64(p.t, m[2])), n, h().Size())
	must(p.t, err)
	p.send("<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>" + base64.StdEncoding.EncodeToString(salted) + "</hash></task-data>")
}

func upgradeTo(tasks ...string) string {
	var b strings.Builder
	for _, task := range tasks {
		b.WriteString("<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>" + task + "</upgrade>")
	}
	return b.String()
}

const toSHA1, toSHA256 = "UPGR-SCRAM-SHA-1", "UPGR-SCRAM-SHA-256"

// An account from before scram_sha1 gets the keys that old clients need.
func TestUpgradeSHA1(t *testing.T) {
	s := old(t, func(o *identity.Options) { o.SCRAMSHA1 = false }, options{xmpp: func(o *xmpp.Options) { o.Config.SCRAMSHA1 = true }})
	p := s.dialTLS()
	check(t, p.open(), "</inline><upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade><upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-1</upgrade></authentication>")
	sha1Login := func(name string) string {
		p := s.dialTLS()
		p.open()
		got, _ := p.scramLogin(name, password, "SCRAM-SHA-1", nil, false)
		return got
	}
	check(t, sha1Login("dora"), "<not-authorized/>")
	p.send(authenticate("dora", password, upgradeTo("UPGR-NONE", toSHA1, toSHA256), bindTag))
	p.upgrade(toSHA1, sha1.New)
	check(t, p.expect("</success>"), "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>dora@example.org/Awesome/")
	p.expect("</stream:features>")
	p.ping()
	check(t, sha1Login("dora"), "success")
	check(t, sha1Login("emil"), "<not-authorized/>")
	// What is there already is not asked for.
	p = s.dialTLS()
	p.open()
	p.send(authenticate("dora", password, upgradeTo(toSHA1)))
	check(t, p.expect(">"), "<success")
}

// With SCRAM the server's proof comes before the task, and once.
func TestUpgradeAfterSCRAM(t *testing.T) {
	s := old(t, func(o *identity.Options) { o.SCRAMSHA1 = false }, options{xmpp: func(o *xmpp.Options) { o.Config.SCRAMSHA1 = true }})
	p := s.dialTLS()
	p.open()
	got, _ := p.scram2As("dora", "SCRAM-SHA-256-PLUS", p.exporter(), upgradeTo(toSHA1), bindTag)
	check(t, got, "<continue xmlns='urn:xmpp:sasl:2'><additional-data>")
	p.got = append([]byte(got), p.got...)
	p.upgrade(toSHA1, sha1.New)
	if got := p.expect("</success>"); strings.Contains(got, "additional-data") {
		t.Error(got)
	}
}

// An account whose password was kept under argon2id gets the keys for SCRAM.
func TestUpgradeFromArgon(t *testing.T) {
	s := old(t, func(o *identity.Options) { o.Argon2id = true }, options{xmpp: func(o *xmpp.Options) { o.Config.SCRAMSHA1 = true }})
	p := s.dialTLS()
	p.open()
	p.send(authenticate("dora", password, upgradeTo(toSHA256, toSHA1), bindTag))
	p.upgrade(toSHA256, sha256.New)
	p.upgrade(toSHA1, sha1.New)
	p.expect("</success>")
	for _, mech := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1"} {
		p := s.dialTLS()
		p.open()
		if got, _ := p.scramLogin("dora", password, mech, nil, false); got != "success" {
			t.Errorf("%s: %s", mech, got)
		}
	}
	p = s.dialTLS()
	p.open()
	p.send(authenticate("dora", password))
	p.expect("<success")
	p = s.dialTLS()
	p.open()
	p.send(authenticate("emil", password)) // who has not asked logs in as before
	p.expect("<success")
}

// A task that does not end well is a log-in that has failed, and leaves nothing behind.
func TestUpgradeFailures(t *testing.T) {
	s := old(t, func(o *identity.Options) { o.SCRAMSHA1 = false }, options{xmpp: func(o *xmpp.Options) { o.Config.SCRAMSHA1, o.Limits.LoginAttemptsXMPP = true, 50 }})
	hash := func(data string) string {
		return "<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>" + data + "</hash></task-data>"
	}
	next := "<next xmlns='urn:xmpp:sasl:2' task='" + toSHA1 + "'/>"
	for _, tt := range []struct{ name, send, want string }{
		{"abort", "<abort xmlns='urn:xmpp:sasl:2'/>", "aborted"},
		{"another task", "<next xmlns='urn:xmpp:sasl:2' task='" + toSHA256 + "'/>", "malformed-request"},
		{"abort in the task", next + "<abort xmlns='urn:xmpp:sasl:2'/>", "aborted"},
		{"no hash", next + "<task-data xmlns='urn:xmpp:sasl:2'/>", "malformed-request"},
		{"an empty hash", next + hash(""), "malformed-request"},
		{"a short hash", next + hash("AAAA"), "malformed-request"},
		{"no base64", next + hash("!"), "incorrect-encoding"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			p.open()
			p.send(authenticate("dora", password, upgradeTo(toSHA1), bindTag))
			p.expect("</continue>")
			p.send(tt.send)
			check(t, p.expect("</failure>"), "<"+tt.want+" xmlns=")
			for _, i := range s.svc.Registry.List(identity.Filter{}) {
				if i.RemoteAddr == p.raw.LocalAddr().String() && i.User != nil {
					t.Errorf("logged in: %+v", i)
				}
			}
			p.send(authenticate("dora", password, bindTag))
			p.expect("<success")
		})
	}
	for _, wrong := range []string{"<response xmlns='urn:xmpp:sasl:2'/>", authenticate("dora", password), "<iq type='get' id='x'/>"} {
		p := s.dialTLS()
		p.open()
		p.send(authenticate("dora", password, upgradeTo(toSHA1)))
		p.expect("</continue>")
		p.send(wrong)
		p.ends("policy-violation")
	}
}
