package xmpp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// client is a connection of a client from accept to end.
type client struct {
	srv    *Server
	t      transport
	ses    *identity.Session
	at     *holder // of ses, as it was opened
	log    *slog.Logger
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	turn  uint32 // of s; the reader's
	quiet int    // how often the reader has looked and heard nothing
	seen  uint64 // what it had heard then
	asked bool   // and the client has been asked to say something
	rate  bucket // the reader's

	mu  sync.Mutex // guards what follows; taken before stream.mu
	why *fault     // why it has to end, where no stream is there to say it
	s   *Stream    // once a resource is being bound
}

// holder is a session's way to what carries it: the connection that it was opened for, and from
// bind on the stream, which may go on over other connections.
type holder struct {
	mu sync.Mutex // guards what follows; nothing is called with it
	c  *client
	s  *Stream
}

func newHolder(c *client) *holder { return &holder{c: c} }

// move says that the stream carries the session from now on; nil: that the connection does again.
func (h *holder) move(s *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.s = s
}

// forget lets go of a connection that has ended: the stream is left, where there is one.
func (h *holder) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.c = nil
}

// SessionEnded tells the client why, and ends the connection.
func (h *holder) SessionEnded(r identity.Reason) {
	h.mu.Lock()
	s, c := h.s, h.c
	h.mu.Unlock()
	cond := reasonError(r)
	switch {
	case s != nil && cond.Err != "":
		s.end(cond, r.Text)
	case s != nil:
		s.drop()
	case c == nil:
	case cond.Err != "":
		c.end(cond, r.Text)
	default:
		c.t.cut()
	}
}

// SessionChanged has nothing to do: who asks for rights asks the session at that moment.
func (h *holder) SessionChanged() {}

// errClosed is the client's own end of the stream.
var errClosed = errors.New("the client has closed the stream")

// end ends the connection with a stream error, from any goroutine and without blocking.
func (c *client) end(cond xstream.Error, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s != nil {
		c.s.end(cond, text)
		return
	}
	if c.why == nil {
		c.why = &fault{cond, text}
		c.cancel()
		c.t.hurry(time.Now().Add(linger))
	}
}

// attach hands the connection over to a stream; the error says why it cannot be.
func (c *client) attach(s *Stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return c.why
	}
	c.turn, c.s = s.attach(c.t, c.srv.lot), s
	c.at.move(s)
	return nil
}

// detach takes it back from a stream that could not be bound.
func (c *client) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s.gone.Load() && c.why == nil {
		c.why = &fault{xstream.PolicyViolation, "The session was ended."}
	}
	c.at.move(nil)
	c.s = nil
}

// run is the connection's goroutine.
func (c *client) run() {
	defer c.at.forget()
	defer c.t.cut()
	defer c.cancel()
	s := c.negotiate()
	if s == nil {
		c.ses.Close()
		return
	}
	c.serve(s)
}

// serve is the connection's life after bind.
func (c *client) serve(s *Stream) {
	why := ""
	switch s.stopReading(c.turn, c.read(s)) {
	case fateParked:
		c.srv.router.crowd(s)
		return
	case fateMoved:
		c.srv.router.crowd(s)
		late := time.AfterFunc(linger, c.t.cut)
		c.t.drain(time.Now().Add(linger))
		late.Stop()
		return
	case fateLost:
		why = "connection lost"
	}
	s.breathe()
	s.leave(c.srv.router, why)
	c.ses.Close()
	late := time.AfterFunc(linger+linger/4, c.t.cut)
	c.t.drain(time.Now().Add(linger))
	s.finish()
	late.Stop()
	c.srv.router.bury(s)
}

// fail ends a connection that has no stream yet; hello is the open tag of ours where it has not
// been sent. RFC 6120 section 4.9.1.2: a stream error comes inside a stream.
func (c *client) fail(err error, hello []byte) {
	c.mu.Lock()
	why := c.why
	c.mu.Unlock()
	var f *fault
	switch {
	case why != nil:
		f = why
	case errors.As(err, &f), errors.Is(err, errClosed):
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, errLate):
		f = &fault{xstream.ConnectionTimeout, "The log-in took too long."}
	default:
		if !errors.Is(err, net.ErrClosed) {
			c.log.Debug("connection lost before the log-in", slog.Any("", c.ses), "error", err)
		}
		return
	}
	var items []item
	if len(hello) > 0 {
		items = append(items, item{b: hello})
	}
	if f != nil {
		c.log.Debug("stream refused", slog.Any("", c.ses), "condition", f.cond.Err, "text", f.text)
		items = append(items, item{b: streamError(f.cond, f.text)})
	}
	items = append(items, item{b: c.t.closing()})
	late := time.AfterFunc(linger+linger/4, c.t.cut)
	defer late.Stop()
	if c.t.write(items, linger) == nil {
		c.t.shut()
		c.t.drain(time.Now().Add(linger))
	}
}
