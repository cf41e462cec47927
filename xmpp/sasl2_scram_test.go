package xmpp_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/xdg-go/scram"

	"trivium/internal/certs"
	"trivium/xmpp"
)

// scram2 is a log-in by SASL2 with a SCRAM mechanism; it returns the last word of the server, and the
// first one, decoded.
func (p *peer) scram2(mech string, binding *scram.ChannelBinding, parts ...string) (last, challenge string) {
	p.t.Helper()
	return p.scram2As("alice", mech, binding, parts...)
}

func (p *peer) scram2As(name, mech string, binding *scram.ChannelBinding, parts ...string) (last, challenge string) {
	p.t.Helper()
	const ns = "urn:xmpp:sasl:2"
	conv, first := p.beginSCRAM(name, password, mech, binding, false)
	p.send("<authenticate xmlns='" + ns + "' mechanism='" + mech + "'><initial-response>" + b64(first) + "</initial-response>" + strings.Join(parts, "") + "</authenticate>")
	text, challenge := p.answerSCRAM(conv, ns)
	if !strings.HasPrefix(text, "<success") && !strings.HasPrefix(text, "<continue") {
		return text + p.expect("</failure>"), challenge
	}
	text += p.expect("</" + text[1:8])
	p.proves(conv, regexp.MustCompile(`<additional-data>([^<]*)</additional-data>`).FindStringSubmatch(text)[1])
	return text + p.expect(">"), challenge
}

func (p *peer) endPoint(s *site) *scram.ChannelBinding {
	sum := sha256.Sum256(s.cert.Leaf().Raw) // the site's certificate is signed with SHA-256
	return &scram.ChannelBinding{Type: "tls-server-end-point", Data: sum[:]}
}

func TestSASL2SCRAM(t *testing.T) {
	s := start(t, options{xmpp: func(o *xmpp.Options) { o.Config.SCRAMSHA1 = true }})
	for _, tt := range []struct {
		mech    string
		binding func(*peer) *scram.ChannelBinding
	}{
		{"SCRAM-SHA-256", nil}, {"SCRAM-SHA-1", nil},
		{"SCRAM-SHA-256-PLUS", (*peer).exporter}, {"SCRAM-SHA-1-PLUS", (*peer).exporter},
		{"SCRAM-SHA-256-PLUS", func(p *peer) *scram.ChannelBinding { return p.endPoint(s) }},
	} {
		t.Run(tt.mech, func(t *testing.T) {
			p := s.dialTLS()
			p.t = t
			p.open()
			var binding *scram.ChannelBinding
			if tt.binding != nil {
				binding = tt.binding(p)
			}
			if got, _ := p.scram2(tt.mech, binding, bindTag); !strings.Contains(got, "<authorization-identifier>alice@example.org/Awesome/") {
				t.Fatal(got)
			}
			p.expect("</stream:features>")
			p.ping()
		})
	}
}

func TestWrongEndPoint(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	p.open()
	binding := p.endPoint(s)
	binding.Data[0]++
	if got, _ := p.scram2("SCRAM-SHA-256-PLUS", binding); !strings.Contains(got, "<not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>") {
		t.Error(got)
	}
	if got, _ := p.scramLogin("alice", password, "SCRAM-SHA-256-PLUS", &scram.ChannelBinding{Type: "tls-unique", Data: []byte("x")}, false); !strings.Contains(got, "<not-authorized/>") {
		t.Error(got)
	}
}

// What the client has seen goes into the proof of both sides (XEP-0474, XEP-0515).
func TestDowngradeProtection(t *testing.T) {
	s := start(t, options{})
	p := s.dialTLS()
	f := p.open()
	hashOf := func(list string) string {
		var names []string
		for _, m := range regexp.MustCompile(`<mechanism>([^<]+)<`).FindAllStringSubmatch(list, -1) {
			names = append(names, m[1])
		}
		for i := range names { // sorted by octets
			for j := range names[:i] {
				if names[i] < names[j] {
					names[i], names[j] = names[j], names[i]
				}
			}
		}
		sum := sha256.Sum256([]byte(strings.Join(names, "\x1e") + "\x1ftls-exporter\x1etls-server-end-point"))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	list := f[strings.Index(f, "<authentication"):strings.Index(f, "<inline>")]
	if got, first := p.scram2("SCRAM-SHA-256-PLUS", p.exporter()); !strings.Contains(got, "<success") || !strings.HasSuffix(first, ",h="+hashOf(list)+",t=0304") {
		t.Errorf("%s, %s", got, first)
	}
}

// The binding is of the certificate that this connection was given, also when there is another one by
// now.
func TestEndPointAfterReload(t *testing.T) {
	dir := t.TempDir()
	one, err := certs.Load(certs.Options{Dir: filepath.Join(dir, "one"), Domains: []string{host}})
	must(t, err)
	two, err := certs.Load(certs.Options{Dir: filepath.Join(dir, "two"), Domains: []string{"second.example"}})
	must(t, err)
	var renewed atomic.Bool
	s := start(t, options{xmpp: func(o *xmpp.Options) {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			src := one
			if renewed.Load() || h.ServerName == "second.example" {
				src = two
			}
			return src.Config("xmpp-client").GetCertificate(h)
		}}
	}})
	bindingOf := func(leaf []byte) *scram.ChannelBinding {
		sum := sha256.Sum256(leaf)
		return &scram.ChannelBinding{Type: "tls-server-end-point", Data: sum[:]}
	}
	p := s.dialTLS()
	renewed.Store(true)
	q := s.dialTLS()
	for _, tt := range []struct {
		p    *peer
		leaf []byte
		want string
	}{{p, two.Leaf().Raw, "<failure"}, {p, one.Leaf().Raw, "<success"}, {q, one.Leaf().Raw, "<failure"}, {q, two.Leaf().Raw, "<success"}} {
		if len(tt.p.got) == 0 && tt.want == "<failure" {
			tt.p.open()
		}
		if got, _ := tt.p.scram2("SCRAM-SHA-256-PLUS", bindingOf(tt.leaf)); !strings.HasPrefix(got, tt.want) {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// A connection that another port has given over can be bound as well, unless it resumes a session of
// TLS, whose certificate nobody knows.
func TestBindingsOfTheWebPort(t *testing.T) {
	s := start(t, options{})
	addr := s.served()
	cfg := s.clientTLS("xmpp-client")
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for _, resumed := range []bool{false, true} {
		p := s.dialTo(addr)
		conn := tls.Client(p.raw, cfg)
		must(t, conn.Handshake())
		p.conn = conn
		f := p.open() // and with it the ticket has come
		if conn.ConnectionState().DidResume != resumed || strings.Contains(f, "tls-server-end-point") == resumed || !strings.Contains(f, "tls-exporter") {
			t.Errorf("resumed %v: %s", conn.ConnectionState().DidResume, f)
		}
		binding := p.exporter()
		if !resumed {
			binding = p.endPoint(s)
		}
		if got, _ := p.scram2("SCRAM-SHA-256-PLUS", binding, bindTag); !strings.HasPrefix(got, "<success") {
			t.Error(got)
		}
		p.expect("</stream:features>")
		p.ping()
	}
}
