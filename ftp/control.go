package ftp

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"trivium/identity"
)

const (
	// writeTimeout bounds one reply to a client that does not read.
	writeTimeout = 30 * time.Second
	// lastWord bounds the reply that ends a connection, and the wait for the client to read it.
	lastWord = time.Second
	// queueLength is how many commands may wait for the end of a transfer.
	queueLength = 64
	// engineLife is how long the library without a transfer is kept: it holds no state.
	engineLife = time.Minute
	// spareLife is how long a listener without a transfer is kept.
	spareLife = time.Second
	// restAfter is for how long a client must be silent after a log-in until the session gets a
	// small stack.
	restAfter = 50 * time.Millisecond
)

// control is what of a connection belongs to no goroutine: all that may be touched by a verb
// that overtakes others, by the end of a transfer, and from outside.
type control struct {
	srv *Server
	ses *identity.Session
	raw *net.TCPConn

	hurry atomic.Bool // the connection is to end: no reply may take longer than lastWord

	mu          sync.Mutex // guards what follows, and the writing of replies
	conn        net.Conn   // raw, or TLS on it
	handshaking bool       // nothing may be written
	loggedIn    bool
	opened      time.Time
	loginBy     time.Time // without a log-in the connection ends then
	quiet       time.Time // when the last transfer ended, or the log-in
	idle        time.Duration
	idleSince   time.Time
	busy        *transfer
	job         *job // beside busy, never with it
	draining    bool // a goroutine runs the queue
	queue       []command
	quitting    bool // a QUIT stands in the queue
	stopping    bool // the server goes when the transfer has ended
	closed      bool
	said        bool   // the last reply has been sent, and the client may still be sending
	held        string // a reply that goes with the next one
	heard       int64  // of what was announced, as identity counts it
	grown       bool   // the reader's stack is larger than it needs from here on
	turn        int    // which of the goroutines that read commands in turn does now
	engine      engine
	spare       *passive    // of the last transfer, for the next
	transferred time.Time   // when the last transfer ended
	dropper     *time.Timer // drops what was kept; nil before there was something
	dropping    bool        // it runs
}

// waiting reports whether a new command has to wait; mu is held.
func (c *control) waiting() bool {
	return c.running() || c.draining || len(c.queue) > 0
}

// running reports whether there is something to overtake, a transfer or a job; mu is held.
func (c *control) running() bool { return c.busy != nil || c.job != nil }

// reply sends one line.
func (c *control) reply(code int, text string) { c.send(line(code, text)) }

// replyLines sends a reply of several lines (RFC 959 section 4.2): body stands between, indented
// so that no line of it looks like the last one.
func (c *control) replyLines(code int, first string, body []string, last string) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d-%s\r\n", code, first)
	for _, l := range body {
		b.WriteString(" " + l + "\r\n")
	}
	b.WriteString(line(code, last))
	c.send(b.String())
}

func line(code int, text string) string { return fmt.Sprintf("%d %s\r\n", code, text) }

// send writes a whole reply at once.
func (c *control) send(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(text)
}

// hold keeps a line until the next reply, which is a moment away.
func (c *control) hold(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held += text
}

// write is send with mu held. A client that cannot be written to is gone.
func (c *control) write(text string) {
	text, c.held = c.held+text, ""
	if c.closed || c.handshaking || text == "" {
		return
	}
	err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if c.hurry.Load() { // asked after the deadline is set, as end sets it the other way round
		err = c.conn.SetWriteDeadline(time.Now().Add(lastWord))
	}
	if err == nil {
		_, err = c.conn.Write([]byte(text))
	}
	if err != nil {
		c.cut()
	}
}

// cut closes the connection and what hangs on it without a word; mu is held.
func (c *control) cut() {
	c.closed = true
	c.stop()
	_ = c.raw.Close() // the reader finds out
}

// end says why, stops a transfer, and closes; the reader then cleans up. It takes lastWord at
// most.
func (c *control) end(code int, text string) {
	c.hurry.Store(true)
	_ = c.raw.SetWriteDeadline(time.Now().Add(lastWord)) // frees a writer that holds mu
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.stop()
	c.finish(code, text)
}

// finish is the last reply; mu is held. What the client still sends is read away for a moment,
// for a close with unread bytes resets the connection and the client may not see the reply.
func (c *control) finish(code int, text string) {
	c.closed = true
	if c.handshaking {
		_ = c.raw.Close()
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(lastWord))
	_, err := c.conn.Write([]byte(c.held + line(code, text)))
	if t, ok := c.conn.(*tls.Conn); ok && err == nil {
		err = t.CloseWrite()
	}
	if err == nil {
		err = c.raw.CloseWrite()
	}
	if err == nil {
		err = c.raw.SetReadDeadline(time.Now().Add(lastWord))
	}
	if c.said = err == nil; !c.said {
		_ = c.raw.Close()
	}
}

// shutdown ends an idle connection, and a busy one after its transfer.
func (c *control) shutdown() {
	c.mu.Lock()
	c.stopping = true
	idle := !c.waiting()
	c.mu.Unlock()
	if idle {
		c.end(421, shutdownText)
	}
}

const shutdownText = "The server is shutting down."

// deadline sets until when the next line must have come. mu is held.
func (c *control) deadline() {
	if c.closed {
		return // finish has set it
	}
	at, _ := c.limit()
	_ = c.conn.SetReadDeadline(at)
}

// timeLimit says which limit it is.
type timeLimit struct {
	format string
	d      time.Duration
}

func (l timeLimit) String() string { return fmt.Sprintf(l.format, l.d) }

// limit is when the connection ends if nothing more is heard, and the words for it; zero for never.
// Before the log-in it is a fixed moment that nothing renews; during a transfer, which has limits
// of its own, the end of the session alone. mu is held.
func (c *control) limit() (at time.Time, why timeLimit) {
	l := &c.srv.limits
	sooner := func(t time.Time, format string, d time.Duration) {
		if at.IsZero() || t.Before(at) {
			at, why = t, timeLimit{format, d}
		}
	}
	if l.FTPSessionTimeout > 0 {
		sooner(c.opened.Add(l.FTPSessionTimeout), "A session lasts %s at most, and this one has; closing.", l.FTPSessionTimeout)
	}
	if !c.loggedIn {
		sooner(c.loginBy, "No log-in within %s; closing.", l.LoginTimeout)
		return at, why
	}
	if c.waiting() {
		return at, why
	}
	sooner(c.idleSince.Add(c.idle), "Nothing heard for %s; closing.", c.idle)
	if l.FTPNoTransferTimeout > 0 {
		sooner(c.quiet.Add(l.FTPNoTransferTimeout), "No transfer and no listing for %s; closing.", l.FTPNoTransferTimeout)
	}
	return at, why
}

// timedOut handles a read that found no line in time; false ends the connection.
func (c *control) timedOut() bool {
	c.mu.Lock()
	at, why := c.limit()
	closed := c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return false
	case at.IsZero() || time.Now().Before(at):
		return true
	}
	c.end(421, why.String())
	return false
}

// noop, abort and stat are the verbs that overtake a transfer.

func (c *control) noop(string) { c.tell(200, "Fine.") }

// abort is ABOR (RFC 959 section 4.1.3): the transfer answers 426 and then 226 when it has
// stopped.
func (c *control) abort(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.job != nil:
		c.job.aborts++
	case c.busy != nil:
		c.busy.aborts++
	default:
		c.write(line(226, "No transfer was going on."))
		return
	}
	c.stop()
}

// stat is STAT without a path: where the connection stands.
func (c *control) stat(string) {
	i := c.ses.Info()
	who := "not logged in"
	switch {
	case i.User != nil:
		who = "logged in as " + printable(*i.User)
	case c.ses.Level() == identity.LevelAnonymous:
		who = "logged in as anonymous"
	}
	secure := "in the clear"
	if i.TLS != nil {
		secure = *i.TLS
	}
	body := []string{"From " + i.RemoteAddr + ", " + secure, who}
	c.mu.Lock()
	switch {
	case c.busy != nil:
		body = append(body, fmt.Sprintf("%s, %d bytes so far", printable(c.busy.doing), c.busy.progress()))
	case c.job != nil:
		body = append(body, printable(c.job.doing))
	default:
		body = append(body, "No transfer is going on")
	}
	c.mu.Unlock()
	c.replyLines(211, printable(c.srv.name)+" FTP", body, "End.")
}
