package xmpptest

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// patience is how long a client waits for what has to come.
const patience = 10 * time.Second

// Client is a raw client: it sends what it is told and waits for text.
type Client struct {
	JID      string // full, once bound
	Features string // of the stream, after the log-in

	t    testing.TB
	raw  net.Conn
	conn net.Conn
	got  []byte // read and not yet expected
}

// Send sends text as it is.
func (c *Client) Send(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.conn, text)
	Must(c.t, err)
}

// Expect reads until want has come, and returns all up to and with it.
func (c *Client) Expect(want string) string {
	c.t.Helper()
	text, err := c.Until(want)
	if err != nil {
		c.t.Fatalf("waiting for %q: %v, after %q", want, err, text)
	}
	return text
}

// Until is Expect for what may fail; it returns what came then.
func (c *Client) Until(want string) (string, error) { return ReadUntil(c.raw, c.conn, &c.got, want) }

// ReadUntil reads from conn, which lies on raw, until want has come, and returns all up to and with it;
// after an error, what came instead. got is what has been read and not yet returned.
func ReadUntil(raw, conn net.Conn, got *[]byte, want string) (string, error) {
	if err := raw.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	for {
		if i := bytes.Index(*got, []byte(want)); i >= 0 {
			text := string((*got)[:i+len(want)])
			*got = (*got)[i+len(want):]
			return text, nil
		}
		buf := make([]byte, 4096)
		n, err := conn.Read(buf)
		*got = append(*got, buf[:n]...)
		if err != nil && n == 0 {
			return string(*got), err
		}
	}
}

// Settle returns what has come by the time that the server answers a ping: all that was put
// before.
func (c *Client) Settle() string {
	c.t.Helper()
	const answer = "<iq type='result' id='settle'"
	c.Send("<iq type='get' id='settle'><ping xmlns='urn:xmpp:ping'/></iq>")
	text := c.Expect(answer)
	c.Expect(">")
	return text[:len(text)-len(answer)]
}

// Then sends text and returns what comes of it to c itself and then to the others.
func (c *Client) Then(text string, others ...*Client) []string {
	c.t.Helper()
	c.Send(text)
	got := []string{c.Settle()}
	for _, o := range others {
		got = append(got, o.Settle())
	}
	return got
}

// Ask sends an IQ with the id "q" and returns what comes up to and with its answer; to may be "".
func (c *Client) Ask(typ, to, payload string) string {
	c.t.Helper()
	if to != "" {
		to = " to='" + to + "'"
	}
	return c.Then("<iq type='" + typ + "' id='q'" + to + ">" + payload + "</iq>")[0]
}

// Close breaks the connection.
func (c *Client) Close() { _ = c.raw.Close() }

// Rest reads until the server closes.
func (c *Client) Rest() string {
	c.t.Helper()
	Must(c.t, c.raw.SetReadDeadline(time.Now().Add(patience)))
	b, _ := io.ReadAll(c.conn) // what came before a reset counts
	text := string(c.got) + string(b)
	c.got = nil
	return text
}

// OpenStream is the open tag of a stream to a domain.
func OpenStream(to string) string {
	return "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + to + "'>"
}

// AuthPlain is a log-in by PLAIN.
func AuthPlain(login, secret string) string {
	return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
		base64.StdEncoding.EncodeToString([]byte("\x00"+login+"\x00"+secret)) + "</auth>"
}

var boundForm = regexp.MustCompile(`<jid>([^<]+)</jid></bind></iq>`)

func (c *Client) login(login, host, resource, secret string) {
	c.t.Helper()
	c.enter(host, resource, AuthPlain(login, secret))
}

// enter is a whole log-in by what auth says at once.
func (c *Client) enter(host, resource, auth string) {
	c.t.Helper()
	open := OpenStream(host)
	if resource != "" {
		resource = "<resource>" + resource + "</resource>"
	}
	c.Send(open)
	c.Expect("</stream:features>")
	c.Send(auth)
	c.Expect("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>")
	c.Send(open)
	c.Features = c.Expect("</stream:features>")
	c.Send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" + resource + "</bind></iq>")
	m := boundForm.FindStringSubmatch(c.Expect("</iq>"))
	if m == nil {
		c.t.Fatal("no address in the answer to bind")
	}
	c.JID = m[1]
}

// Has checks that the parts stand in text in this order.
func Has(t testing.TB, who, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		i := strings.Index(rest, part)
		if i < 0 {
			t.Fatalf("%s got %q, want %q there in order", who, text, parts)
		}
		rest = rest[i+len(part):]
	}
}

// Nothing checks that nothing came.
func Nothing(t testing.TB, who, text string) {
	t.Helper()
	if text != "" {
		t.Fatalf("%s got %q, want nothing", who, text)
	}
}

// Quiet reads and forgets what has come to the clients so far.
func Quiet(clients ...*Client) {
	for _, c := range clients {
		c.t.Helper()
		c.Settle()
	}
}
