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

// client is a connection of a client from accept to end, and the holder of its session.
type client struct {
	srv    *Server
	t      transport
	ses    *identity.Session
	log    *slog.Logger
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	mu  sync.Mutex // guards what follows; taken before stream.mu
	why *fault     // why it has to end, where no stream is there to say it
	s   *Stream    // once a resource is being bound
}

// errClosed is the client's own end of the stream.
var errClosed = errors.New("the client has closed the stream")

// SessionEnded tells the client why, and ends the connection.
func (c *client) SessionEnded(r identity.Reason) {
	if cond := reasonError(r); cond.Err != "" {
		c.end(cond, r.Text)
		return
	}
	c.t.cut()
}

// SessionChanged has nothing to do: who asks for rights asks the session at that moment.
func (c *client) SessionChanged() {}

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
	s.attach(c.t)
	c.s = s
	return nil
}

// detach takes it back from a stream that could not be bound.
func (c *client) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s.gone.Load() && c.why == nil {
		c.why = &fault{xstream.PolicyViolation, "The session was ended."}
	}
	c.s = nil
}

// run is the connection's goroutine.
func (c *client) run() {
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
	err := c.read(s)
	var f *fault
	var why string
	switch {
	case errors.As(err, &f):
		s.end(f.cond, f.text)
	case errors.Is(err, errClosed):
		s.close()
	case !s.gone.Load():
		why = "connection lost"
		s.drop()
	}
	s.leave(c.srv.router, why)
	c.ses.Close()
	late := time.AfterFunc(linger+linger/4, c.t.cut)
	c.t.drain(time.Now().Add(linger))
	s.finish()
	late.Stop()
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
	case errors.Is(err, os.ErrDeadlineExceeded):
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
