package xmpp_test

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"trivium/xmpp"
)

// later is a module that holds each message, and lets go of them out of order in another goroutine,
// as a store that groups its writes does.
type later struct {
	seed  uint64
	holds chan xmpp.Hold
	done  chan struct{}
}

func newLater(t *testing.T, seed uint64) *later {
	l := &later{seed: seed, holds: make(chan xmpp.Hold), done: make(chan struct{})}
	go l.run()
	t.Cleanup(func() { close(l.holds); <-l.done })
	return l
}

func (l *later) Register(reg *xmpp.Registrar) {
	reg.Accept(func(_ context.Context, m *xmpp.Message) { l.holds <- m.Hold() })
}

func (l *later) run() {
	defer close(l.done)
	rnd := rand.New(rand.NewPCG(l.seed, 0))
	var batch []xmpp.Hold
	for h := range l.holds {
		batch = append(batch, h)
		full := time.After(time.Duration(rnd.IntN(4)) * time.Millisecond) // a store that commits now and then
		for more := true; more && len(batch) < 20; {
			select {
			case h, ok := <-l.holds:
				if more = ok; ok {
					batch = append(batch, h)
				}
			case <-full:
				more = false
			}
		}
		rnd.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		for _, h := range batch {
			h.Done()
		}
		batch = batch[:0]
	}
}

// tireless is a client that sends numbered messages to another one over connections that break, and
// keeps all that XEP-0198 asks a client to keep.
type tireless struct {
	s        *site
	name, to string
	id       string
	rnd      *rand.Rand
	count    int // messages each way

	mu       sync.Mutex
	wake     *sync.Cond
	out      []string // sent and not acknowledged
	h        uint32   // the server's
	sent     int      // different messages
	in       uint32
	got      []int
	conn     *tls.Conn // that counts
	old      []net.Conn
	ready    bool // it may be used: the server has told what it has
	life     int  // elements until it breaks
	breaks   int
	late     bool
	problems []string
}

func (c *tireless) problem(format string, args ...any) {
	if len(c.problems) < 20 {
		c.problems = append(c.problems, fmt.Sprintf(format, args...))
	}
}

// run is the client's life: until all has been sent, acknowledged and received, or until.
func (c *tireless) run(first *peer, until time.Time) {
	c.wake = sync.NewCond(&c.mu)
	late := time.AfterFunc(time.Until(until), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.problem("%s is not done: sent %d, got %d, waiting for %d", c.name, c.sent, len(c.got), len(c.out))
		c.late = true
		c.breakOff()
	})
	defer late.Stop()
	d := xml.NewDecoder(first.conn)
	c.live(first.conn.(*tls.Conn), d, false)
	for !c.done() {
		c.reconnect()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.breakOff()
	for _, o := range c.old {
		_ = o.Close()
	}
}

func (c *tireless) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.finished()
}

// finished is called with c.mu held.
func (c *tireless) finished() bool {
	return c.late || c.sent >= c.count && len(c.out) == 0 && len(c.got) >= c.count
}

// breakOff ends the connection: in good form of TCP, by a reset, in the middle of a stanza, or not at
// all, so that the stream is taken over from it. c.mu is held.
func (c *tireless) breakOff() {
	if c.conn == nil {
		return
	}
	switch c.rnd.IntN(4) {
	case 0:
		_ = c.conn.NetConn().Close()
	case 1:
		_ = c.conn.NetConn().(*net.TCPConn).SetLinger(0)
		_ = c.conn.NetConn().Close()
	case 2:
		_, _ = io.WriteString(c.conn, "<message to='"+c.to+"'><bo")
		_ = c.conn.NetConn().Close()
	default:
		c.old = append(c.old, c.conn.NetConn())
	}
	c.conn = nil
	c.breaks++
	c.wake.Broadcast()
}

// reconnect logs in and resumes.
func (c *tireless) reconnect() {
	raw, err := net.Dial("tcp", c.s.tls)
	if err != nil {
		c.mu.Lock()
		c.problem("dial: %v", err)
		c.mu.Unlock()
		return
	}
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	conn := tls.Client(raw, c.s.clientTLS("xmpp-client"))
	c.mu.Lock()
	in := c.in
	c.mu.Unlock()
	if _, err := io.WriteString(conn, openStream(host)+authPlain(c.name, password)); err != nil {
		return
	}
	d := xml.NewDecoder(conn)
	if err := c.skipTo(d, "success"); err != nil {
		return
	}
	if _, err := io.WriteString(conn, openStream(host)+resumeOf(c.id, strconv.FormatUint(uint64(in), 10))); err != nil {
		return
	}
	d = xml.NewDecoder(conn)
	if err := c.skipTo(d, "features"); err != nil {
		return
	}
	_ = raw.SetDeadline(time.Time{})
	c.live(conn, d, true)
}

// skipTo reads up to the end of an element of that name.
func (c *tireless) skipTo(d *xml.Decoder, name string) error {
	for {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		if e, ok := tok.(xml.EndElement); ok && e.Name.Local == name {
			return nil
		}
	}
}

// live is one connection; resuming says that `<resumed/>` is due.
func (c *tireless) live(conn *tls.Conn, d *xml.Decoder, resuming bool) {
	c.mu.Lock()
	c.conn, c.life, c.ready = conn, 5+c.rnd.IntN(150), !resuming
	c.mu.Unlock()
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read(conn, d)
	}()
	c.mu.Lock()
	for c.conn == conn && !c.finished() {
		if c.ready {
			if resuming {
				resuming = false
				for _, m := range c.out { // those that the server has not
					c.send(conn, m)
				}
				c.send(conn, ask)
			}
			c.write(conn)
		}
		c.wake.Wait()
	}
	if c.conn == conn {
		c.breakOff()
	}
	c.mu.Unlock()
	if c.isOld(conn.NetConn()) { // its reader goes on and must count nothing
		return
	}
	<-read
}

func (c *tireless) isOld(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.old {
		if o == conn {
			return true
		}
	}
	return false
}

// write sends new messages while few are in flight. c.mu is held.
func (c *tireless) write(conn *tls.Conn) {
	const window = 40
	for c.conn == conn && c.sent < c.count && len(c.out) < window {
		m := fmt.Sprintf("<message to='%s' type='chat'><body>%d</body></message>", c.to, c.sent)
		c.out = append(c.out, m)
		c.sent++
		c.send(conn, m)
		if c.sent%7 == 0 || c.sent == c.count || len(c.out) == window {
			c.send(conn, ask)
		}
	}
}

func (c *tireless) send(conn *tls.Conn, text string) {
	_ = conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, text) // what is lost is sent again
}

// read counts what comes until the connection breaks or is broken.
func (c *tireless) read(conn *tls.Conn, d *xml.Decoder) {
	for {
		tok, err := d.Token()
		if err != nil {
			c.mu.Lock()
			if c.conn == conn {
				c.conn = nil
				c.breaks++
			}
			c.wake.Broadcast()
			c.mu.Unlock()
			return
		}
		el, ok := tok.(xml.StartElement)
		if !ok || el.Name.Local == "stream" {
			continue
		}
		var body struct {
			Body string `xml:"body"`
		}
		err = d.DecodeElement(&body, &el)
		c.mu.Lock()
		if err == nil && c.conn == conn {
			c.element(conn, el, body.Body)
		}
		c.wake.Broadcast()
		c.mu.Unlock()
	}
}

// element is one that came; c.mu is held.
func (c *tireless) element(conn *tls.Conn, el xml.StartElement, body string) {
	switch el.Name.Local {
	case "message", "iq", "presence":
		c.in++
		n, err := strconv.Atoi(body)
		if err != nil || n != len(c.got) {
			c.problem("%s got %q in the place of %d", c.name, body, len(c.got))
		}
		c.got = append(c.got, n)
	case "r":
		c.send(conn, fmt.Sprintf("<a xmlns='urn:xmpp:sm:3' h='%d'/>", c.in))
	case "a", "resumed":
		for _, a := range el.Attr {
			if a.Name.Local != "h" {
				continue
			}
			h, err := strconv.ParseUint(a.Value, 10, 32)
			n := uint32(h) - c.h
			if err != nil || uint64(n) > uint64(len(c.out)) {
				c.problem("%s: h was %d, %d are not acknowledged, now it is %s", c.name, c.h, len(c.out), a.Value)
				return
			}
			c.out, c.h, c.ready = c.out[n:], uint32(h), true
		}
	default:
		c.problem("%s got %s", c.name, el.Name.Local)
	}
	if c.life--; c.life <= 0 {
		c.breakOff()
	}
}

// Of thousands of stanzas each way over dozens of broken connections none is lost, none comes twice,
// all come in order, and what the server says that it has never goes back.
func TestTorture(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			slow := newLater(t, seed)
			s := resumes(t, func(o *xmpp.Options) { o.Modules = append(o.Modules, slow) })
			const count = 1500
			a, b := s.login("alice", "a"), s.login("bob", "b")
			clients := []*tireless{
				{s: s, name: "alice", to: b.jid, id: a.enable(), rnd: rand.New(rand.NewPCG(seed, 1)), count: count},
				{s: s, name: "bob", to: a.jid, id: b.enable(), rnd: rand.New(rand.NewPCG(seed, 2)), count: count},
			}
			var wg sync.WaitGroup
			for i, c := range clients {
				wg.Add(1)
				go func() {
					defer wg.Done()
					c.run([]*peer{a, b}[i], time.Now().Add(30*time.Second))
				}()
			}
			wg.Wait()
			for _, c := range clients {
				for _, p := range c.problems {
					t.Error(p)
				}
				if c.breaks < 10 {
					t.Errorf("%s: only %d connections broke", c.name, c.breaks)
				}
				t.Logf("%s: %d breaks, %d received", c.name, c.breaks, len(c.got))
			}
		})
	}
}
