package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// chatter is a client that counts what the server has acknowledged (XEP-0198), and keeps what it
// has not.
type chatter struct {
	name, password string

	conn net.Conn
	dec  *xml.Decoder
	done chan struct{} // closed when the reader of the last stream has ended; nil before the first

	mu      sync.Mutex
	unacked []string // ids of messages, in the order in which they went out
	acked   []string
	counted int           // of this stream's stanzas, by the last <a/>
	heard   chan struct{} // something was acknowledged
	err     error         // why the stream has ended
	results []string      // ids of the messages in what the archive answered
	fin     chan string   // the last id of a page, "" at the end
}

const chatHost = "localhost"

// login opens a stream with stream management; messages of the stream before it stay unacked.
func (c *chatter) login(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return err
	}
	if c.done != nil {
		<-c.done
	}
	c.done = make(chan struct{})
	c.conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: chatHost})
	c.counted, c.err, c.heard, c.fin = 0, nil, make(chan struct{}, 1), make(chan string, 1)
	if err := c.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	open := "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + chatHost + "'>"
	for _, step := range []struct{ say, hear string }{
		{open, "</stream:features>"},
		{"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+c.name+"\x00"+c.password)) + "</auth>", "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>"},
		{open, "</stream:features>"},
		{"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>"},
		{"<enable xmlns='urn:xmpp:sm:3'/>", "/>"},
	} {
		if _, err := io.WriteString(c.conn, step.say); err != nil {
			return err
		}
		var got []byte
		b := make([]byte, 1)
		for !bytes.HasSuffix(got, []byte(step.hear)) {
			if _, err := io.ReadFull(c.conn, b); err != nil {
				return fmt.Errorf("%s: %w after %q to %q", c.name, err, got, step.say)
			}
			got = append(got, b[0])
		}
	}
	c.dec = xml.NewDecoder(io.MultiReader(strings.NewReader("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"), c.conn))
	if _, err := c.dec.Token(); err != nil {
		return err
	}
	if err := c.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	go c.read()
	return nil
}

// read takes what comes until the stream ends.
func (c *chatter) read() {
	defer close(c.done)
	for got := 0; ; {
		tok, err := c.dec.Token()
		if err != nil {
			c.ended(err)
			return
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		var v struct {
			Name xml.Name
			H    string `xml:"h,attr"`
			ID   string `xml:"id,attr"`
			Fin  *struct {
				Complete string `xml:"complete,attr"`
				Last     string `xml:"http://jabber.org/protocol/rsm set>last"`
			} `xml:"urn:xmpp:mam:2 fin"`
			Result *struct {
				Forwarded struct {
					Message struct {
						ID string `xml:"id,attr"`
					} `xml:"jabber:client message"`
				} `xml:"urn:xmpp:forward:0 forwarded"`
			} `xml:"urn:xmpp:mam:2 result"`
		}
		if err := c.dec.DecodeElement(&v, &el); err != nil {
			c.ended(err)
			return
		}
		switch el.Name.Local {
		case "message", "presence", "iq":
			got++
		}
		switch {
		case el.Name.Local == "a":
			h, _ := strconv.Atoi(v.H)
			c.ack(h)
		case el.Name.Local == "r":
			if _, err := fmt.Fprintf(c.conn, "<a xmlns='urn:xmpp:sm:3' h='%d'/>", got); err != nil {
				c.ended(err)
				return
			}
		case v.Result != nil:
			c.results = append(c.results, v.Result.Forwarded.Message.ID)
		case v.Fin != nil && v.Fin.Complete == "true":
			c.fin <- ""
		case v.Fin != nil:
			c.fin <- v.Fin.Last
		}
	}
}

func (c *chatter) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// wait returns when something more was acknowledged, or the stream has ended.
func (c *chatter) wait() {
	select {
	case <-c.heard:
	case <-c.done:
	}
}

func (c *chatter) ack(h int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(h-c.counted, len(c.unacked))
	c.counted = h
	c.acked = append(c.acked, c.unacked[:n]...)
	c.unacked = c.unacked[n:]
	select {
	case c.heard <- struct{}{}:
	default:
	}
}

func (c *chatter) state() (unacked, acked int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.unacked), len(c.acked), c.err
}

func message(to, id string) string {
	return "<message type='chat' to='" + to + "' id='" + id + "'><body>" + strings.Repeat("text ", 40) + id + "</body><origin-id xmlns='urn:xmpp:sid:0' id='" + id + "'/></message>"
}

// talk sends messages, no more than some hundreds ahead of what is acknowledged, until stop is
// closed or the stream ends.
func (c *chatter) talk(to string, next func() string, stop <-chan struct{}) {
	const ahead, each = 300, 10
	for {
		var b strings.Builder
		c.mu.Lock()
		for range each {
			id := next()
			c.unacked = append(c.unacked, id)
			b.WriteString(message(to, id))
		}
		c.mu.Unlock()
		b.WriteString("<r xmlns='urn:xmpp:sm:3'/>")
		if _, err := io.WriteString(c.conn, b.String()); err != nil {
			return
		}
		for {
			select {
			case <-stop:
				return
			default:
			}
			n, _, err := c.state()
			if err != nil {
				return
			}
			if n < ahead {
				break
			}
			c.wait()
		}
	}
}

// resend sends what was not acknowledged again, and waits until it is.
func (c *chatter) resend(to string) error {
	var b strings.Builder
	c.mu.Lock()
	for _, id := range c.unacked {
		b.WriteString(message(to, id))
	}
	c.mu.Unlock()
	b.WriteString("<r xmlns='urn:xmpp:sm:3'/>")
	if _, err := io.WriteString(c.conn, b.String()); err != nil {
		return err
	}
	limit := time.After(60 * time.Second)
	for {
		n, _, err := c.state()
		if n == 0 || err != nil {
			return err
		}
		select {
		case <-c.heard:
		case <-c.done:
		case <-limit:
			return fmt.Errorf("%d messages are not acknowledged", n)
		}
	}
}

// archive reads the ids of all messages in the client's archive.
func (c *chatter) archive() ([]string, error) {
	c.results = nil
	for after := ""; ; {
		query := "<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>100</max>" + after + "</set></query></iq>"
		if _, err := io.WriteString(c.conn, query); err != nil {
			return nil, err
		}
		select {
		case last := <-c.fin:
			if last == "" {
				return c.results, nil
			}
			after = "<after>" + last + "</after>"
		case <-c.done:
			_, _, err := c.state()
			return nil, err
		case <-time.After(60 * time.Second):
			return nil, errors.New("no page of the archive came")
		}
	}
}

// Every message that was acknowledged is in the archive after a kill -9 under load, and none is
// there twice after the clients have sent again what was not.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	const senders, rounds, each = 4, 2, 1500
	dir := filepath.Join(t.TempDir(), "data")
	srv, err := start(suite, dir)
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			srv.kill()
		}
		if t.Failed() {
			t.Logf("server log:\n%s", srv.log)
		}
	})
	const password = "Correct-Horse-9"
	peer := &chatter{name: "peer", password: password}
	all := []*chatter{peer}
	for i := range senders {
		all = append(all, &chatter{name: fmt.Sprintf("sender%d", i), password: password})
	}
	for _, c := range all {
		srv.run(t, password+"\n", "user", "add", c.name, "--password-stdin")
	}
	to := peer.name + "@" + chatHost
	var made atomic.Int64
	next := func() string { return fmt.Sprintf("m%d", made.Add(1)) }
	again := 0
	for round := range rounds {
		var wg sync.WaitGroup
		stop := make(chan struct{})
		if err := peer.login(srv.addr["xmpps"]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(peer.conn, "<presence/>"); err != nil {
			t.Fatal(err)
		}
		for _, c := range all[1:] {
			if err := c.login(srv.addr["xmpps"]); err != nil {
				t.Fatal(err)
			}
			n, _, _ := c.state()
			again += n
			if err := c.resend(to); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			wg.Go(func() { c.talk(to, next, stop) })
		}
		want := each * (round + 1)
		for deadline := time.Now().Add(120 * time.Second); ; {
			acked := 0
			for _, c := range all[1:] {
				_, n, err := c.state()
				if err != nil {
					t.Fatal(err)
				}
				acked += n
			}
			if acked >= want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("only %d messages were acknowledged", acked)
			}
			time.Sleep(time.Millisecond)
		}
		srv.kill() // while all of them send
		close(stop)
		for _, c := range all[1:] {
			for _, _, err := c.state(); err == nil; _, _, err = c.state() {
				c.wait() // what came before the end counts
			}
		}
		wg.Wait()
		if srv, err = start(suite, dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range all {
		if err := c.login(srv.addr["xmpps"]); err != nil {
			t.Fatal(err)
		}
		n, _, _ := c.state()
		again += n
		if err := c.resend(to); err != nil {
			t.Fatal(err)
		}
	}
	theirs, err := peer.archive()
	if err != nil {
		t.Fatal(err)
	}
	inTheirs := map[string]int{}
	for _, id := range theirs {
		inTheirs[id]++
	}
	total := 0
	for _, c := range all[1:] {
		own, err := c.archive()
		if err != nil {
			t.Fatal(err)
		}
		inOwn := map[string]int{}
		for _, id := range own {
			inOwn[id]++
		}
		for _, id := range c.acked {
			if inOwn[id] != 1 || inTheirs[id] != 1 {
				t.Errorf("message %s is %d times in the sender's archive and %d times in the recipient's", id, inOwn[id], inTheirs[id])
			}
		}
		if len(own) != len(c.acked) {
			t.Errorf("%s has %d messages in the archive, and %d were acknowledged", c.name, len(own), len(c.acked))
		}
		total += len(own)
		_ = c.conn.Close()
	}
	_ = peer.conn.Close()
	if len(theirs) != total || again == 0 {
		t.Errorf("%d messages in the recipient's archive, %d in those of the senders; %d were sent again", len(theirs), total, again)
	}
	t.Logf("%d messages, %d of them sent again after %d falls", total, again, rounds)
	stopped = true
	if err := srv.stop(); err != nil {
		t.Error(err)
	}
}
