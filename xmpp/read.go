package xmpp

import (
	"context"
	"errors"
	"os"
	"time"

	xstanza "mellium.im/xmpp/stanza"
	xstream "mellium.im/xmpp/stream"

	"mellium.im/xmpp/jid"
)

// errSilent is a client that does not say that it is there.
var errSilent = errors.New("the client is silent")

// read hands the client's stanzas to the router, one after the other, until the stream ends or
// goes on over another connection.
func (c *client) read(s *Stream) error {
	c.t.deadline(c.look())
	for {
		fr, err := c.t.next()
		if s.gone.Load() || s.turn.Load() != c.turn {
			return nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err = c.silent(s); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		if fr.kind == frameClose {
			return errClosed
		}
		if err := c.stanza(s, fr.el); err != nil {
			return err
		}
		if rate := int64(c.srv.config.StanzaRate); rate > 0 {
			c.rate.take(c.ctx, len(fr.el.raw), rate)
		}
	}
}

// look is when to see next whether the client is there; zero: never. While an answer is awaited it
// is when that is late, else half of the interval, so that silence is noticed by looking twice and
// no stanza has to set a deadline.
func (c *client) look() time.Time {
	switch {
	case c.srv.config.PingInterval <= 0:
		return time.Time{}
	case c.asked:
		return time.Now().Add(c.srv.config.PingTimeout)
	}
	return time.Now().Add(c.srv.config.PingInterval / 2)
}

// silent is called when nothing has come for a while: it asks the client whether it is there (RFC
// 6120 section 4.6.1), and gives up one that does not answer.
func (c *client) silent(s *Stream) error {
	heard := c.t.heard()
	switch {
	case heard != c.seen:
		c.seen, c.quiet, c.asked = heard, 0, false
	case c.asked:
		return errSilent
	default:
		if c.quiet++; c.quiet > 1 {
			c.asked = true
			s.probe()
		}
	}
	c.t.deadline(c.look())
	return nil
}

// bucket bounds how fast one client is read. It is full at the beginning.
type bucket struct {
	full time.Time // when it is full again
}

// take takes n bytes out, and waits where more is gone than two seconds' worth. As the client is
// not read meanwhile, it is TCP that slows it down.
func (b *bucket) take(ctx context.Context, n int, rate int64) {
	const burst, most = 2 * time.Second, time.Second
	now := time.Now()
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(time.Duration(int64(n) * int64(time.Second) / rate))
	if over := b.full.Sub(now) - burst; over > 0 {
		wait(ctx, nil, min(over, most)) // a session that is ended meanwhile is to end soon
	}
}

// stanza checks one element of a bound stream and passes it on.
func (c *client) stanza(s *Stream, el *Element) error {
	st, ok, err := s.known.stanza(el)
	if !ok {
		return c.other(s, el)
	}
	defer s.handled()
	c.srv.counts.stanzas.Add(1)
	if st.Kind == KindMessage {
		c.srv.counts.messages.Add(1)
	}
	st.From = s.full
	if st.Lang == "" {
		st.Lang = s.lang
	}
	// RFC 6120 section 8.1.2.1: the client may name itself, by either of its addresses, and
	// nobody else.
	if from, ok := st.Attr("from"); ok && from != "" {
		if j, _, err := s.known.parse(from); err != nil || !j.Equal(s.full) && !j.Equal(s.full.Bare()) {
			return &fault{xstream.InvalidFrom, "a stanza says that it comes from somebody else"}
		}
	}
	if err != nil { // the address in to
		if st.Type != "error" && (st.Kind != KindIQ || st.Type == "get" || st.Type == "set") {
			s.Put(st.Failure(xstanza.JIDMalformed, xstanza.Modify))
		}
		return nil
	}
	if st.Kind == KindIQ && st.Type == "set" && (st.To.Equal(jid.JID{}) || st.To.Equal(s.full.Domain()) || st.To.Equal(s.full.Bare())) {
		switch st.First().Space {
		case nsSession: // RFC 3921 section 3: nothing to do, but old clients wait for the answer
			s.Put(st.Result(""))
			return nil
		case nsBind: // RFC 6120 section 7.1: one resource for each stream
			s.Put(st.Failure(xstanza.NotAllowed, xstanza.Cancel))
			return nil
		}
	}
	c.srv.router.handle(c.ctx, s, st)
	return nil
}

// other judges an element that is no stanza (RFC 6120 section 4.9.3.25).
func (c *client) other(s *Stream, el *Element) error {
	switch {
	case el.Name.Space == nsSM:
		return s.managed(el)
	case el.Name.Space == nsCSI && s.state(el):
		return nil
	}
	if el.Name.Space == nsStream && el.Name.Local == "error" {
		return errClosed // RFC 6120 section 4.9.1.1: the client ends the stream by it
	}
	if el.Name.Space == nsSASL || el.Name.Space == nsSASL2 || el.Name.Space == nsTLS {
		return &fault{xstream.PolicyViolation, "the log-in is over"}
	}
	return &fault{xstream.UnsupportedStanzaType, "that is no stanza"}
}
