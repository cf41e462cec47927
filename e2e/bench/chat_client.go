package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// talker is one client's stream. It is made to cost little: elements are cut out by their tags, and
// nothing is parsed.
type talker struct {
	raw, conn net.Conn // conn is raw, or TLS on it
	buf       []byte
	from, to  int // what was read and not yet used
	jid       string
	features  []byte
}

// errEnd is the server's end of the stream.
var errEnd = errors.New("the server has closed the stream")

// next returns the next element, which is good until the one after it. The open tag of a stream is
// an element of its own.
func (c *talker) next() ([]byte, error) {
	for {
		for c.from < c.to && c.buf[c.from] != '<' { // white space that keeps the connection alive
			c.from++
		}
		if n := element(c.buf[c.from:c.to]); n > 0 {
			el := c.buf[c.from : c.from+n]
			c.from += n
			if el[1] == '/' {
				return nil, errEnd
			}
			if bytes.HasPrefix(el, []byte("<stream:error")) {
				return nil, fmt.Errorf("the server ended the stream: %.200s", el)
			}
			return el, nil
		}
		if err := c.more(); err != nil {
			return nil, err
		}
	}
}

func (c *talker) more() error {
	if c.from > 0 {
		c.to = copy(c.buf, c.buf[c.from:c.to])
		c.from = 0
	}
	if c.to == len(c.buf) {
		c.buf = append(c.buf, make([]byte, max(len(c.buf), 2048))...)
	}
	n, err := c.conn.Read(c.buf[c.to:])
	c.to += n
	if n > 0 {
		return nil
	}
	return err
}

// element is the length of the element that b begins with, or 0 where its end has not come.
func element(b []byte) int {
	open := tag(b)
	if open == 0 || b[open-2] == '/' || b[1] == '/' || b[1] == '?' || bytes.HasPrefix(b, []byte("<stream:stream")) {
		return open
	}
	name := b[1:open]
	name = name[:bytes.IndexAny(name, " \t\r\n>")]
	var space [64]byte
	start, end := append(append(space[:0:32], '<'), name...), append(append(space[32:32], "</"...), name...)
	for at, depth := open, 1; ; {
		n := bytes.Index(b[at:], end)
		if n < 0 {
			return 0
		}
		depth += bytes.Count(b[at:at+n], start) - 1
		at += n + len(end)
		if at >= len(b) {
			return 0
		}
		if at++; depth == 0 {
			return at
		}
	}
}

// tag is the length of the tag that b begins with, or 0.
func tag(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '>':
			return i + 1
		case '\'', '"':
			n := bytes.IndexByte(b[i+1:], b[i])
			if n < 0 {
				return 0
			}
			i += n + 1
		}
	}
	return 0
}

// attribute reads one of the element's own attributes; they are written plainly here.
func attribute(el []byte, name string) []byte {
	head := el[:tag(el)]
	for {
		i := bytes.Index(head, []byte(name))
		if i < 1 {
			return nil
		}
		head, i = head[i+len(name):], i-1
		if len(head) > 2 && head[0] == '=' {
			value, _, _ := bytes.Cut(head[2:], head[1:2])
			return value
		}
	}
}

// text is what stands between an element's tags.
func text(el []byte) string {
	b := el[tag(el):]
	return string(b[:max(bytes.LastIndexByte(b, '<'), 0)])
}

func (c *talker) send(s string) error {
	_, err := io.WriteString(c.conn, s)
	return err
}

// await reads until an element begins so, and returns it.
func (c *talker) await(begins string) ([]byte, error) {
	for {
		el, err := c.next()
		if err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", begins, err)
		}
		if bytes.HasPrefix(el, []byte(begins)) {
			return el, nil
		}
		if bytes.HasPrefix(el, []byte("<failure")) {
			return nil, fmt.Errorf("waiting for %s: %s", begins, el)
		}
	}
}

func (c *talker) open(domain string) error {
	err := c.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + domain + "'>")
	if err != nil {
		return err
	}
	el, err := c.await("<stream:features")
	c.features = bytes.Clone(el)
	return err
}

// ask sends a request and returns the answer.
func (c *talker) ask(id, kind, payload string) ([]byte, error) {
	if err := c.send("<iq type='" + kind + "' id='" + id + "'>" + payload + "</iq>"); err != nil {
		return nil, err
	}
	for {
		el, err := c.await("<iq")
		if err != nil {
			return nil, err
		}
		if string(attribute(el, "id")) != id {
			continue // a push
		}
		if string(attribute(el, "type")) == "error" {
			return nil, fmt.Errorf("%s", el)
		}
		return el, nil
	}
}

const rosterQuery = "<query xmlns='jabber:iq:roster'/>"

// login connects an account and says who it is, by SCRAM-SHA-256 as a client does that has kept the salted password.
func (s *chatServer) login(account int, resource string, secure bool) (c *talker, err error) {
	raw, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		return nil, err
	}
	c = &talker{raw: raw, conn: raw}
	_ = raw.SetDeadline(time.Now().Add(patience))
	defer func() {
		if err != nil {
			_ = raw.Close()
			c, err = nil, fmt.Errorf("%s, %s: %w", s.name, s.user(account), err)
		}
	}()
	if err := c.open(s.domain); err != nil {
		return nil, err
	}
	if secure {
		if err := c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); err != nil {
			return nil, err
		}
		if _, err := c.await("<proceed"); err != nil {
			return nil, err
		}
		c.conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // #nosec: the certificates are self-signed
		if err := c.open(s.domain); err != nil {
			return nil, err
		}
	}
	if err := c.scram(s, s.user(account)); err != nil {
		return nil, err
	}
	if err := c.open(s.domain); err != nil {
		return nil, err
	}
	el, err := c.ask("bind", "set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>"+resource+"</resource></bind>")
	if err != nil {
		return nil, err
	}
	_, rest, _ := bytes.Cut(el, []byte("<jid>"))
	full, _, ok := bytes.Cut(rest, []byte("</jid>"))
	if !ok {
		return nil, fmt.Errorf("bind: %s", el)
	}
	c.jid = string(full)
	return c, nil
}

// enter is login, and what a client asks for first: the roster, and its own presence.
func (s *chatServer) enter(account int, resource string, secure bool) (*talker, error) {
	c, err := s.login(account, resource, secure)
	if err != nil {
		return nil, err
	}
	if _, err = c.ask("roster", "get", rosterQuery); err == nil {
		err = c.appear()
	}
	if err != nil {
		_ = c.raw.Close()
		return nil, fmt.Errorf("%s, %s: %w", s.name, s.user(account), err)
	}
	_ = c.raw.SetDeadline(time.Time{})
	return c, nil
}

// appear sends presence and waits until it comes back.
func (c *talker) appear() error {
	if err := c.send("<presence/>"); err != nil {
		return err
	}
	for {
		el, err := c.await("<presence")
		if err != nil || strings.EqualFold(string(attribute(el, "from")), c.jid) {
			return err
		}
	}
}

// manage asks for stream management where it is offered.
func (c *talker) manage() error {
	if !bytes.Contains(c.features, []byte("urn:xmpp:sm:3")) {
		return nil
	}
	if err := c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>"); err != nil {
		return err
	}
	_, err := c.await("<enabled")
	return err
}

// leave ends the stream as a client should.
func (c *talker) leave() {
	_ = c.raw.SetDeadline(time.Now().Add(patience))
	if c.send("</stream:stream>") == nil {
		for err := error(nil); err == nil; _, err = c.next() {
		}
	}
	_ = c.raw.Close()
}

func (c *talker) scram(s *chatServer, user string) error {
	const ns = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
	b64 := base64.StdEncoding.EncodeToString
	firstBare := "n=" + user + ",r=" + rand.Text()
	if err := c.send("<auth " + ns + " mechanism='SCRAM-SHA-256'>" + b64([]byte("n,,"+firstBare)) + "</auth>"); err != nil {
		return err
	}
	el, err := c.await("<challenge")
	if err != nil {
		return err
	}
	first, err := base64.StdEncoding.DecodeString(text(el))
	if err != nil {
		return err
	}
	fields := map[byte]string{}
	for f := range strings.SplitSeq(string(first), ",") {
		if len(f) > 2 {
			fields[f[0]] = f[2:]
		}
	}
	key, err := s.salted(fields['s'], fields['i'])
	if err != nil {
		return err
	}
	sum := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		_, _ = io.WriteString(h, text)
		return h.Sum(nil)
	}
	last := "c=biws,r=" + fields['r']
	proof := sum(key, "Client Key")
	stored := sha256.Sum256(proof)
	subtle.XORBytes(proof, proof, sum(stored[:], firstBare+","+string(first)+","+last))
	if err := c.send("<response " + ns + ">" + b64([]byte(last+",p="+b64(proof))) + "</response>"); err != nil {
		return err
	}
	_, err = c.await("<success")
	return err
}

// salted is the salted password, computed once.
func (s *chatServer) salted(salt, iterations string) ([]byte, error) {
	at := salt + " " + iterations
	if key, ok := s.keys.Load(at); ok {
		return key.([]byte), nil
	}
	raw, err := base64.StdEncoding.DecodeString(salt)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(iterations)
	if err != nil {
		return nil, err
	}
	key, err := pbkdf2.Key(sha256.New, password, raw, n, sha256.Size)
	if err != nil {
		return nil, err
	}
	s.keys.Store(at, key)
	return key, nil
}
