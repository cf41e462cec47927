package probe

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// XMPP tries a server of XMPP: the steps srv, connect, tls, features, login, bind, direct, hostmeta and
// websocket. It sends no presence, so nobody sees it.
func XMPP(ctx context.Context, t XMPPTarget, report func(Step)) {
	r, done := begin(ctx, t.Target, report)
	defer done()
	p := &xmppProbe{run: r, t: t, host: t.Host, port: t.Port}
	defer p.close()
	p.srv()
	p.connect()
	p.secure()
	p.features()
	p.login()
	p.bind()
	p.close()
	p.direct()
	p.hostMeta()
	p.webSocket()
}

type xmppProbe struct {
	*run
	t          XMPPTarget
	host, port string // where SRV says
	conn       reached
	wire       wire
	xml        *xml.Decoder
	trust      *trust
	offered    streamFeatures
}

func (p *xmppProbe) close() { p.wire.leave("</stream:stream>") }

// srv asks for the records that say where the server is (RFC 6120 section 3.2.1, XEP-0368).
func (p *xmppProbe) srv() {
	p.step("srv", "SRV records", func(ctx context.Context, s *Step) {
		if _, err := netip.ParseAddr(p.t.Host); err == nil || p.t.Host == "localhost" || strings.HasSuffix(p.t.Host, ".localhost") {
			s.skip(p.t.Host + " is no name of the public DNS")
			return
		}
		services := []string{"xmpp-client", "xmpps-client"}
		if p.t.TLS == "direct" {
			services = []string{"xmpps-client"}
		}
		var seen []string
		for _, service := range services {
			_, list, err := p.t.resolver().LookupSRV(ctx, service, "tcp", p.t.Host)
			var dns *net.DNSError
			if err != nil && (!errors.As(err, &dns) || !dns.IsNotFound) {
				s.skip("the DNS did not answer")
				return
			}
			for i, a := range list {
				if a.Target == "." { // RFC 2782: decidedly no such service
					continue
				}
				seen = append(seen, fmt.Sprintf("%s %s:%d", service, clean(strings.TrimSuffix(a.Target, ".")), a.Port))
				if i == 0 && (service == "xmpp-client") == (p.t.TLS != "direct") {
					p.host, p.port = strings.TrimSuffix(a.Target, "."), strconv.Itoa(int(a.Port))
				}
			}
		}
		s.Detail = strings.Join(seen, ", ")
		if len(seen) > 0 {
			return
		}
		record := fmt.Sprintf("_xmpp-client._tcp.%s. 3600 IN SRV 0 5 %s %s.", p.t.Host, p.t.Port, p.t.Host)
		switch {
		case p.t.TLS != "direct" && p.t.Port == "5222":
			s.Detail = fmt.Sprintf("none; clients fall back to %s:5222", p.t.Host)
		case p.t.TLS == "direct":
			s.warn("There are no SRV records, so clients do not find the listener with direct TLS by themselves.", strings.Replace(record, "_xmpp-client", "_xmpps-client", 1))
		default:
			s.warn(fmt.Sprintf("There are no SRV records, so clients try port 5222 and not %s.", p.t.Port), record)
		}
	})
}

// hostMeta looks where pages and others that cannot ask the DNS look (XEP-0156).
func (p *xmppProbe) hostMeta() {
	p.stuck = "" // the web is another listener
	p.step("hostmeta", "host-meta", func(ctx context.Context, s *Step) {
		if p.t.HostMeta == "" {
			s.skip("there is no HTTPS, without which clients do not follow it")
			return
		}
		w := p.t.visit(ctx, s, p.t.HostMeta, p.t.WebOwn, "the web")
		if w == nil || !w.secure(ctx, s, &p.t.Target) {
			return
		}
		defer w.close()
		a, err := w.ask(ctx, s, http.MethodGet, w.url, "")
		switch {
		case err != nil:
			s.unanswered(err)
		case a.status != http.StatusOK || !strings.Contains(string(a.body), "urn:xmpp:alt-connections:"):
			s.warn("host-meta is answered with "+a.String()+" and names no way to chat: chat in web pages of others does not find this server.",
				"Let the web server of the domain pass /.well-known/host-meta on to this one.")
		}
	})
}

// connect is the TCP connection.
func (p *xmppProbe) connect() {
	p.step("connect", "Connection", func(ctx context.Context, s *Step) {
		var err error
		if p.conn, err = p.t.dial(ctx, s, p.host, p.port, p.t.Own); err != nil {
			s.refused(err, "chat", p.host, p.port)
			p.stop(s)
			return
		}
		p.use(ctx, p.conn)
	})
}

func (p *xmppProbe) use(ctx context.Context, c net.Conn) {
	p.wire.Conn = c
	p.wire.deadline(ctx)
}

// secure is STARTTLS (RFC 6120 section 5) or TLS from the first byte.
func (p *xmppProbe) secure() {
	p.step("tls", "TLS", func(ctx context.Context, s *Step) {
		p.wire.deadline(ctx)
		var alpn []string
		if p.t.TLS == "direct" {
			alpn = []string{"xmpp-client"}
		} else {
			f, err := p.open(s)
			if err != nil {
				p.broken(s, err)
				return
			}
			if f.StartTLS == nil {
				s.fail("STARTTLS is not offered", "Clients cannot protect the password, and give up.",
					"Something that looks into the connection may have taken it out; ask the server itself: trivium client xmpp test on its own machine.")
				p.stop(s)
				return
			}
			if err := p.send(s, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); err != nil {
				p.broken(s, err)
				return
			}
			if el, err := p.next(s); err != nil || el.Name.Local != "proceed" {
				p.broken(s, orElse(err, "the answer to STARTTLS is "+el.Name.Local))
				return
			}
		}
		tc, tr, err := p.t.handshake(ctx, s, p.conn, p.t.settings(p.t.Host, alpn...), p.t.Host)
		if err != nil {
			p.stop(s)
			return
		}
		p.trust = &tr
		p.use(ctx, tc)
	})
}

// features is the stream under TLS and what it offers.
func (p *xmppProbe) features() {
	p.step("features", "Stream", func(ctx context.Context, s *Step) {
		p.wire.deadline(ctx)
		var err error
		if p.offered, err = p.open(s); err != nil {
			p.broken(s, err)
			return
		}
		if len(p.offered.Mechanisms) == 0 {
			s.fail("no way to log in is offered", "Nobody can log in.", "Look at xmpp.scram and identity.password_hash.")
			p.stop(s)
			return
		}
		s.Detail = "log-in by " + clean(strings.Join(p.offered.Mechanisms, ", "))
	})
}

// login is SASL (RFC 6120 section 6): SCRAM where it is offered, as clients do.
func (p *xmppProbe) login() {
	p.step("login", "Log-in", func(ctx context.Context, s *Step) {
		p.wire.deadline(ctx)
		if p.t.Secret == nil {
			s.skip("there is no account to log in with")
			p.stuck = "needs a log-in"
			return
		}
		if !s.maySend(p.conn, p.trust) {
			p.stuck = "needs a log-in"
			return
		}
		var mechanism string
		var refused string
		var err error
		switch {
		case slices.Contains(p.offered.Mechanisms, "SCRAM-SHA-256"):
			mechanism = "SCRAM-SHA-256"
			refused, err = p.scram(s)
		case slices.Contains(p.offered.Mechanisms, "PLAIN"):
			mechanism = "PLAIN"
			refused, err = p.plain(s)
		default:
			s.skip("neither SCRAM-SHA-256 nor PLAIN is offered")
			p.stuck = "needs a log-in"
			return
		}
		switch {
		case err != nil:
			p.broken(s, err)
		case refused != "":
			s.refusedLogin(refused, "login:xmpp")
			p.stop(s)
		default:
			s.Detail = fmt.Sprintf("as %s by %s, with a throw-away password", p.t.User, mechanism)
		}
	})
}

const nsSASL = "urn:ietf:params:xml:ns:xmpp-sasl"

// plain is SASL PLAIN (RFC 4616).
func (p *xmppProbe) plain(s *Step) (refused string, err error) {
	s.say(">", "<auth mechanism='PLAIN'>[secret]</auth>")
	if err := p.write("<auth xmlns='" + nsSASL + "' mechanism='PLAIN'>" + encode("\x00"+p.t.User+"\x00"+p.t.Secret()) + "</auth>"); err != nil {
		return "", err
	}
	el, err := p.next(s)
	if err != nil {
		return "", err
	}
	return el.refusal(), nil
}

// scram is SCRAM-SHA-256 without channel binding (RFC 7677). The server proves that it knows the password too.
func (p *xmppProbe) scram(s *Step) (refused string, err error) {
	client, err := scram.SHA256.NewClient(p.t.User, p.t.Secret(), "")
	if err != nil {
		return "", err
	}
	conv := client.NewConversation()
	text, err := conv.Step("")
	if err != nil {
		return "", err
	}
	s.say(">", "<auth mechanism='SCRAM-SHA-256'>[secret]</auth>")
	if err := p.write("<auth xmlns='" + nsSASL + "' mechanism='SCRAM-SHA-256'>" + encode(text) + "</auth>"); err != nil {
		return "", err
	}
	for {
		el, err := p.next(s)
		if err != nil {
			return "", err
		}
		if el.Name.Local != "challenge" && el.Name.Local != "success" {
			return el.refusal(), nil
		}
		said, err := decode(el.Text)
		if err != nil {
			return "", err
		}
		if text, err = conv.Step(said); err != nil {
			return "", err
		}
		if el.Name.Local == "success" {
			return "", nil
		}
		s.say(">", "<response>[secret]</response>")
		if err := p.write("<response xmlns='" + nsSASL + "'>" + encode(text) + "</response>"); err != nil {
			return "", err
		}
	}
}

// bind makes the session (RFC 6120 section 7).
func (p *xmppProbe) bind() {
	p.step("bind", "Session", func(ctx context.Context, s *Step) {
		p.wire.deadline(ctx)
		if _, err := p.open(s); err != nil {
			p.broken(s, err)
			return
		}
		if err := p.send(s, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>connection-test</resource></bind></iq>"); err != nil {
			p.broken(s, err)
			return
		}
		el, err := p.next(s)
		switch {
		case err != nil:
			p.broken(s, err)
		case el.Name.Local != "iq" || el.Type != "result" || el.JID == "":
			s.fail("binding was answered with an error "+clean(el.condition()), "Log-in works, and no session comes about.", "Too many sessions of the account, or a rule of the policy: see trivium session list.")
		default:
			s.Detail = clean(el.JID)
		}
	})
}

// direct is the other listener, with TLS from the first byte (XEP-0368).
func (p *xmppProbe) direct() {
	if p.t.Direct == "" {
		return
	}
	p.stuck = ""
	p.step("direct", "Direct TLS", func(ctx context.Context, s *Step) {
		c, err := p.t.dial(ctx, s, p.t.Host, p.t.Direct, p.t.DirectOwn)
		if err != nil {
			s.refused(err, "direct TLS (xmpp.tls_listen)", p.t.Host, p.t.Direct)
			return
		}
		defer func() { _ = c.Close() }() // nothing is waited for
		tc, _, err := p.t.handshake(ctx, s, c, p.t.settings(p.t.Host, "xmpp-client"), p.t.Host)
		if err != nil {
			return
		}
		p.use(ctx, tc)
		if _, err := p.open(s); err != nil {
			p.broken(s, err)
		}
		p.close()
	})
}

// open begins a stream and reads what it offers (RFC 6120 sections 4.2 and 4.3).
func (p *xmppProbe) open(s *Step) (streamFeatures, error) {
	p.xml = xml.NewDecoder(io.LimitReader(p.wire, 1<<20))
	p.xml.Strict = true
	if err := p.send(s, "<stream:stream to='"+escape(p.t.Host)+"' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"); err != nil {
		return streamFeatures{}, err
	}
	for {
		tok, err := p.xml.Token()
		if err != nil {
			return streamFeatures{}, err
		}
		start, ok := tok.(xml.StartElement)
		switch {
		case !ok:
		case start.Name.Local == "stream":
			s.say("<", "<stream:stream>")
		case start.Name.Local == "features":
			var f streamFeatures
			err := p.xml.DecodeElement(&f, &start)
			s.say("<", "<stream:features> "+strings.Join(f.names(), ", "))
			return f, err
		default:
			var el element
			if err := p.xml.DecodeElement(&el, &start); err != nil {
				return streamFeatures{}, err
			}
			s.say("<", "<"+start.Name.Local+"> "+el.condition())
			return streamFeatures{}, replyError("the server answered " + clean(start.Name.Local+" "+el.condition()))
		}
	}
}

// next reads one element.
func (p *xmppProbe) next(s *Step) (element, error) {
	for {
		tok, err := p.xml.Token()
		if err != nil {
			return element{}, err
		}
		switch t := tok.(type) {
		case xml.EndElement:
			return element{}, io.EOF
		case xml.StartElement:
			var el element
			if err := p.xml.DecodeElement(&el, &t); err != nil {
				return element{}, err
			}
			s.say("<", "<"+t.Name.Local+"> "+el.condition())
			return el, nil
		}
	}
}

func (p *xmppProbe) send(s *Step, text string) error {
	s.say(">", text)
	return p.write(text)
}

func (p *xmppProbe) write(text string) error {
	_, err := io.WriteString(p.wire, text)
	return err
}

// broken says that the stream is gone.
func (p *xmppProbe) broken(s *Step, err error) {
	seen := "no answer: " + reason(err)
	var said replyError
	if errors.As(err, &said) {
		seen = string(said)
	}
	s.fail(seen, "Clients get no further than this.", "Look at the log of the server at this time. A ban of this address, or too many connections, may be the cause.")
	p.stop(s)
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return replyError(text)
}

// webSocket opens a stream over WebSocket (RFC 7395).
func (p *xmppProbe) webSocket() {
	if p.t.WebSocket == "" {
		return
	}
	p.step("websocket", "WebSocket", func(ctx context.Context, s *Step) {
		w := p.t.visit(ctx, s, p.t.WebSocket, p.t.WebOwn, "the web")
		if w == nil || !w.secure(ctx, s, &p.t.Target) {
			return
		}
		defer w.close()
		p.talk(ctx, s, w)
	})
}
