// Package extdisco tells clients of services beside chat that they may use, such as STUN and TURN
// for calls (XEP-0215 1.0.0), with credentials that are good for a while.
package extdisco

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what TURN servers with a shared secret know
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

const ns = "urn:xmpp:extdisco:2"

// credentialLife is how long credentials are good. A call that goes on keeps what it has.
const credentialLife = 12 * time.Hour

// Service is one service beside chat.
type Service struct {
	Type      string // stun, stuns, turn, turns
	Host      string
	Port      int
	Transport string // udp or tcp
}

// ErrService is text that names no service.
var ErrService = errors.New("is not a service. Examples: stun:stun.example.org, turn:turn.example.org:3478?transport=udp, turns:turn.example.org:5349")

// Parse reads a URI of RFC 7064 or RFC 7065.
func Parse(text string) (Service, error) {
	kind, rest, _ := strings.Cut(text, ":")
	s := Service{Type: kind, Port: 3478, Transport: "udp"}
	switch kind {
	case "stun", "turn":
	case "stuns", "turns":
		s.Port, s.Transport = 5349, "tcp"
	default:
		return s, ErrService
	}
	rest, query, found := strings.Cut(rest, "?")
	if found {
		transport, ok := strings.CutPrefix(query, "transport=")
		if !ok || transport != "udp" && transport != "tcp" || kind == "stun" || kind == "stuns" {
			return s, ErrService
		}
		s.Transport = transport
	}
	if host, port, err := net.SplitHostPort(rest); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return s, ErrService
		}
		rest, s.Port = host, int(n)
	}
	if s.Host = strings.Trim(rest, "[]"); s.Host == "" || strings.ContainsAny(s.Host, "/@? '\"<>&") {
		return s, ErrService
	}
	return s, nil
}

// relays reports whether the service wants credentials.
func (s Service) relays() bool { return strings.HasPrefix(s.Type, "turn") }

// Options is what New needs.
type Options struct {
	Services []Service
	// Secret is shared with the TURN servers; zero where they want no credentials or their own.
	Secret identity.Secret
}

// Services is the module.
type Services struct {
	o   Options
	now func() time.Time
}

// New makes the module.
func New(o Options) *Services { return &Services{o: o} }

// Register implements xmpp.Module.
func (m *Services) Register(reg *xmpp.Registrar) {
	m.now = reg.Now
	const resource = "xmpp:services"
	reg.Serve(
		xmpp.Service{To: xmpp.ToServer, Name: xml.Name{Space: ns, Local: "services"}, Resource: resource, Answer: m.services},
		xmpp.Service{To: xmpp.ToServer, Name: xml.Name{Space: ns, Local: "credentials"}, Resource: resource, Answer: m.credentials},
	)
}

// services is sections 3.1 and 3.2.
func (m *Services) services(_ context.Context, q *xmpp.Request) {
	el, err := q.Payload()
	if err != nil {
		q.Bad()
		return
	}
	kind, _ := el.Attr("type")
	b := append(xmpp.AppendAttr([]byte("<services xmlns='"+ns+"'"), "type", kind), '>')
	for _, s := range m.o.Services {
		if kind == "" || kind == s.Type {
			b = m.appendTo(b, q, s, true)
		}
	}
	q.Result(string(append(b, "</services>"...)))
}

// credentials is section 3.3.
func (m *Services) credentials(_ context.Context, q *xmpp.Request) {
	var in struct {
		Service struct {
			Host string `xml:"host,attr"`
			Type string `xml:"type,attr"`
			Port int    `xml:"port,attr"`
		} `xml:"service"`
	}
	if err := q.Decode(&in); err != nil || in.Service.Host == "" || in.Service.Type == "" {
		q.Bad()
		return
	}
	b := []byte("<credentials xmlns='" + ns + "'>")
	n := len(b)
	for _, s := range m.o.Services {
		if s.Host == in.Service.Host && s.Type == in.Service.Type && (in.Service.Port == 0 || in.Service.Port == s.Port) && s.relays() && !m.o.Secret.IsZero() {
			b = m.appendTo(b, q, s, false)
		}
	}
	if len(b) == n {
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
		return
	}
	q.Result(string(append(b, "</credentials>"...)))
}

func (m *Services) appendTo(b []byte, q *xmpp.Request, s Service, whole bool) []byte {
	b = xmpp.AppendAttr(append(b, "<service"...), "host", s.Host)
	b = xmpp.AppendAttr(b, "port", strconv.Itoa(s.Port))
	b = xmpp.AppendAttr(b, "type", s.Type)
	if whole {
		b = xmpp.AppendAttr(b, "transport", s.Transport)
	}
	if s.relays() && !m.o.Secret.IsZero() {
		until := m.now().Add(credentialLife).UTC().Truncate(time.Second)
		user, password := m.credential(q, until)
		b = xmpp.AppendAttr(b, "restricted", "true")
		b = xmpp.AppendAttr(b, "expires", until.Format(time.RFC3339))
		b = xmpp.AppendAttr(b, "username", user)
		b = xmpp.AppendAttr(b, "password", password)
	}
	return append(b, "/>"...)
}

// credential is a name with its end, and the HMAC over it that the TURN server makes too
// (draft-uberti-behave-turn-rest-00 section 2.2). The name does not say who it is.
func (m *Services) credential(q *xmpp.Request, until time.Time) (user, password string) {
	key := []byte(m.o.Secret.Reveal())
	who := hmac.New(sha1.New, key)
	_, _ = fmt.Fprintf(who, "account %s", q.By.Owner().ID)
	const enough = 6
	user = fmt.Sprintf("%d:%x", until.Unix(), who.Sum(nil)[:enough])
	mac := hmac.New(sha1.New, key)
	mac.Write([]byte(user))
	return user, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
