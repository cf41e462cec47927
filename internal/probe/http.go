package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 64 << 10

// site is a server of HTTP as it was reached, for requests that go the same way.
type site struct {
	url   *url.URL
	at    string // the address that answered
	conn  reached
	trust *trust // nil: no TLS
	conf  *tls.Config
	http  *http.Client
}

var errOther = errors.New("another server answered than before")

// parse reads an address of ours; the port is filled in.
func parseURL(text string) (u *url.URL, port string, err error) {
	u, err = url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil, "", fmt.Errorf("%q is no address", text)
	}
	switch port = u.Port(); {
	case port != "":
	case u.Scheme == "https" || u.Scheme == "wss":
		port = "443"
	default:
		port = "80"
	}
	return u, port, nil
}

// visit finds the way to the server of an address; secure makes the rest. The step says what failed.
func (t *Target) visit(ctx context.Context, s *Step, text, own, what string) *site {
	u, port, err := parseURL(text)
	if err != nil {
		s.fail(err.Error(), "Clients find nothing there.", "Set web.public_url to the address of the pages.")
		return nil
	}
	c, err := t.dial(ctx, s, u.Hostname(), port, own)
	if err != nil {
		s.refused(err, what, u.Hostname(), port)
		return nil
	}
	return &site{url: u, conn: c, at: c.RemoteAddr().String()}
}

// secure makes TLS where the address has it, and the client for the requests; false where it failed.
func (w *site) secure(ctx context.Context, s *Step, t *Target) bool {
	defer func() { _ = w.conn.Close() }() // requests make their own
	if w.url.Scheme == "https" || w.url.Scheme == "wss" {
		w.conf = t.settings(w.url.Hostname(), "http/1.1")
		tc, tr, err := t.handshake(ctx, s, w.conn, w.conf, w.url.Hostname())
		if err != nil {
			return false
		}
		w.trust = &tr
		_ = tc.Close()
		leaf := tr.state.PeerCertificates
		w.conf.VerifyConnection = func(cs tls.ConnectionState) error {
			if len(leaf) == 0 || len(cs.PeerCertificates) == 0 || !cs.PeerCertificates[0].Equal(leaf[0]) {
				return errOther
			}
			return nil
		}
	} else {
		s.warn("The address is without TLS: passwords and files cross the network in the clear.", "Set web.tls_listen, or put a proxy with a certificate in front and say so in web.public_url.")
	}
	w.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:           nil,
			TLSClientConfig: w.conf,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", w.at)
			},
			DisableCompression: true,
		},
	}
	return true
}

func (w *site) close() {
	if w != nil && w.http != nil {
		w.http.CloseIdleConnections()
	}
}

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string {
	if text := http.StatusText(a.status); text != "" {
		return fmt.Sprintf("%d %s", a.status, text)
	}
	return fmt.Sprint(a.status)
}

// ask sends a request to a path of the site. Of its headers the credentials are not shown.
func (w *site) ask(ctx context.Context, s *Step, method string, to *url.URL, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, httpURL(to), bytes.NewReader([]byte(body)))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", userAgent)
	s.say(">", method+" "+to.RequestURI())
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Authorization" {
			kind, _, _ := strings.Cut(header[i+1], " ")
			s.say(">", "Authorization: "+kind+" [secret]")
			continue
		}
		s.say(">", header[i]+": "+header[i+1])
	}
	res, err := w.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }() // read, or given up
	a := answer{status: res.StatusCode, header: res.Header}
	s.say("<", res.Proto+" "+res.Status)
	for _, name := range []string{"Server", "Allow", "Dav", "Location", "Www-Authenticate", "Content-Type", "X-Request-Id", "Retry-After"} {
		for _, v := range res.Header.Values(name) {
			s.say("<", name+": "+v)
		}
	}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return a, err
}

const userAgent = "Trivium connection test"

// httpURL is the address with the scheme that net/http knows.
func httpURL(u *url.URL) string {
	c := *u
	switch c.Scheme {
	case "wss":
		c.Scheme = "https"
	case "ws":
		c.Scheme = "http"
	}
	return c.String()
}

// unanswered says that a request got no answer.
func (s *Step) unanswered(err error) {
	s.fail("no answer: "+reason(err), "Clients wait, then give up.", "Look at the log of the server, and of the proxy in front of it where there is one.")
}

// ours reports whether an answer comes from this server and not from a proxy in front of it.
func (a answer) ours() bool {
	id := a.header.Get("X-Request-Id")
	return len(id) == 8 && strings.Trim(id, "0123456789abcdef") == ""
}

// basic is the header of RFC 7617.
func basic(l Login) string { return "Basic " + encode(l.User+":"+l.Secret()) }
