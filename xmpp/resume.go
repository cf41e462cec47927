package xmpp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	xstanza "mellium.im/xmpp/stanza"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// How long a resumption waits for what the lost connection still does.
const (
	stopping = 5 * time.Second // until its last stanza is handled
	settling = 3 * time.Second // until what was handled is durable
)

// errOvertaken is the end of a connection whose stream goes on over another one.
var errOvertaken = errors.New("the stream goes on over another connection")

// resume lets the old stream that el, a `<resume/>`, names go on over this connection (XEP-0198
// section 5). Where it can, reply makes the first items of what the client gets, with the
// `<resumed/>` in them, and n.s is the stream. Where it cannot, failed is the `<failed/>`, and the
// client may bind. An error ends the connection.
func (n *negotiation) resume(el *Element, reply func(s *Stream, resumed []byte) [][]byte) (ok bool, failed []byte, err error) {
	id, _ := el.Attr("previd")
	h, number := ackOf(el)
	if id == "" || !number {
		return false, smFailed(xstanza.BadRequest), nil
	}
	// Only the account's own streams are looked at: an id that others know is of no use to them.
	s := n.srv.router.resumable(n.c.ses, id)
	if s == nil || n.fixed != "" && s.res.name != n.fixed {
		return false, smFailed(xstanza.ItemNotFound), nil
	}
	turn, err := s.takeOver(h)
	if err == nil && (!s.silenced(n.c.ctx) || !s.settle(n.c.ctx, turn)) {
		err = errOvertaken
	}
	if err == nil {
		err = n.c.resume(s, turn, h, func(s *Stream, resumed []byte) [][]byte {
			n.vouch(s) // before the client can send anything
			return reply(s, resumed)
		})
	}
	if err == nil {
		n.s = s
		n.recheck(s)
		return true, nil, nil
	}
	n.srv.putBack(s, turn)
	var f *fault
	if errors.As(err, &f) {
		return false, nil, err
	}
	n.c.log.Debug("stream not resumed", slog.Any("", n.c.ses), "error", err)
	return false, smFailed(xstanza.ItemNotFound), nil
}

// vouch notes on a stream as which installation its client has logged in, so that those who revoke find
// it: a stream that is resumed hangs on the last log-in and no more on the first.
func (n *negotiation) vouch(s *Stream) {
	if n.agent.ID != "" || n.agent != (UserAgent{}) && s.UserAgent().ID == "" {
		agent := n.agent
		s.agent.Store(&agent)
	}
}

// recheck ends a stream whose evidence was revoked before the stream could be found by it.
func (n *negotiation) recheck(s *Stream) {
	if n.revoked() {
		s.end(xstream.NotAuthorized, "The access of this client was revoked.")
	}
}

// resumable finds a stream of the session's account by its id.
func (r *Router) resumable(ses *identity.Session, id string) *Stream {
	creds, ok := ses.Credentials()
	if !ok || creds.UserID == "" {
		return nil
	}
	of := Address{string(creds.Login), creds.Domain}
	for _, s := range r.pick(nil, of, func(x *resource) bool { return x.owner == creds.UserID }) {
		if s.isCalled(id) {
			return s
		}
	}
	return nil
}

func (s *Stream) isCalled(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumable() && s.sm.id == id
}

// takeOver takes the stream from the connection that has it, or out of the lot, where the client
// may acknowledge h. From then on what is put waits.
func (s *Stream) takeOver(h uint32) (turn uint32, err error) {
	s.mu.Lock()
	if s.gone.Load() || s.held {
		s.mu.Unlock()
		return 0, errOvertaken
	}
	if err := s.mayAck(h); err != nil {
		s.mu.Unlock()
		return 0, err
	}
	t := s.t
	s.lot.take(s)
	s.detach()
	turn = s.turn.Load()
	s.mu.Unlock()
	if t != nil {
		farewell(t, streamError(xstream.Conflict, "The stream goes on over another connection."))
	}
	return turn, nil
}

// detach parts the stream from its transport; who had it finds another turn.
func (s *Stream) detach() {
	s.t = nil
	s.turn.Add(1)
	s.stopped()
	s.spaced()
	if s.sm.timer != nil {
		s.sm.timer.Stop()
		s.sm.timer = nil
	}
	s.sm.armed = false
	s.sm.roof = s.bytes + s.maxBytes/2
}

// silenced waits until the last connection's reader has stopped: what it still handles counts.
func (s *Stream) silenced(ctx context.Context) bool {
	s.mu.Lock()
	if !s.reading {
		s.mu.Unlock()
		return true
	}
	if s.unread == nil {
		s.unread = make(chan struct{})
	}
	unread := s.unread
	s.mu.Unlock()
	return wait(ctx, unread, stopping)
}

// wait reports whether done was closed in time.
func wait(ctx context.Context, done <-chan struct{}, within time.Duration) bool {
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-done:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// settle waits until all that was handled is durable. What is not after a while is as if it had
// never come: the client sends it again.
func (s *Stream) settle(ctx context.Context, turn uint32) bool {
	for until := time.Now().Add(settling); ; {
		s.mu.Lock()
		sm := s.sm
		switch {
		case s.turn.Load() != turn:
			s.mu.Unlock()
			return false
		case sm.open.len() == 0:
			s.mu.Unlock()
			return true
		case sm.open.live()[0] == neverHeld, !time.Now().Before(until):
			sm.open.drop(sm.open.len())
			sm.in = sm.h
			sm.epoch++
			s.mu.Unlock()
			return true
		}
		if sm.room == nil {
			sm.room = make(chan struct{})
		}
		room := sm.room
		s.mu.Unlock()
		if !wait(ctx, room, time.Until(until)) && ctx.Err() != nil {
			return false
		}
	}
}

// resume gives a stream that has been taken over the connection, and the stream's session that of
// the connection.
func (c *client) resume(s *Stream, turn, h uint32, reply func(*Stream, []byte) [][]byte) error {
	next := c.ses
	gone, err := c.resumeLocked(s, turn, h, reply)
	if err != nil {
		return err
	}
	c.at.move(s)
	next.Close()
	for _, f := range gone {
		f()
	}
	return nil
}

func (c *client) resumeLocked(s *Stream, turn, h uint32, reply func(*Stream, []byte) [][]byte) (gone []func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return nil, c.why
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spill()
	if s.turn.Load() != turn || s.gone.Load() {
		return nil, errOvertaken
	}
	if err := s.mayAck(h); err != nil {
		return nil, err
	}
	now := c.ses.Details()
	if err := c.srv.registry.Resume(s.ses, c.ses); err != nil {
		return nil, err
	}
	state := identity.StateConnected
	if c.srv.router.isUp(s) {
		state = identity.StateAvailable
	}
	s.ses.Update(func(d *identity.Details) {
		d.TLS, d.State, d.UserAgent = now.TLS, state, cmp.Or(now.UserAgent, d.UserAgent)
	})
	gone = s.ackLocked(h)
	sm := s.sm
	sm.ask, sm.asked, sm.since, sm.sinceBytes = false, false, 0, 0
	sm.owed, sm.waits = 0, false
	s.sent, s.sm.out, s.inactive = 0, 0, false // XEP-0352 section 5.2: a resumed stream is active
	s.first = nil
	resumed := fmt.Appendf(nil, "<resumed xmlns='%s' previd='%s' h='%d'/>", nsSM, sm.id, sm.h)
	for _, b := range reply(s, resumed) {
		s.first = append(s.first, item{b: b})
	}
	c.t.account(s.ses)
	s.t, s.reading = c.t, true
	c.ses, c.s, c.turn = s.ses, s, s.turn.Add(1)
	s.wake()
	return gone, nil
}

// isUp reports whether the stream has sent presence.
func (r *Router) isUp(s *Stream) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return s.res.available
}

// fate is what becomes of a stream whose connection's reader has stopped.
type fate uint8

const (
	fateEnded  fate = iota // it has ended
	fateLost               // it has ended, as the connection is lost
	fateParked             // it waits for its client
	fateMoved              // it goes on over another connection, or waits as this one was ended
)

// stopReading is the end of the reader that has the turn; err is why it stopped.
func (s *Stream) stopReading(turn uint32, err error) fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	if s.unread != nil {
		close(s.unread)
		s.unread = nil
	}
	var f *fault
	switch {
	case s.turn.Load() != turn:
		return fateMoved
	case s.gone.Load():
	case errors.As(err, &f):
		s.endLocked(f.cond, f.text)
	case errors.Is(err, errClosed):
		s.closeLocked()
	case s.resumable():
		if s.parkLocked() {
			return fateParked
		}
		return fateLost
	case errors.Is(err, errSilent):
		s.endLocked(xstream.ConnectionTimeout, "Nothing was heard of this client for too long.")
		return fateLost
	default:
		s.dropLocked()
		return fateLost
	}
	return fateEnded
}

// parkLocked lets the stream wait for its client; it has ended where it cannot.
func (s *Stream) parkLocked() bool {
	t := s.t
	s.detach()
	if t != nil {
		t.cut()
	}
	if !s.lot.park(s) {
		s.dropLocked()
		return false
	}
	s.awaitLocked()
	return true
}

// awaitLocked begins the time that a stream in the lot waits.
func (s *Stream) awaitLocked() {
	s.ses.SetAway(true)
	s.ses.Update(func(d *identity.Details) { d.State = identity.StateDetached })
	s.sm.expires = time.Now().Add(s.sm.life)
	s.arm(s.sm.life)
}

// crowd sees to it that what waits does not take too much, of the server and of the account.
func (r *Router) crowd(s *Stream) {
	s.mu.Lock()
	over := s.charge()
	s.mu.Unlock()
	if over {
		s.lot.trim()
	}
	type waiter struct {
		s     *Stream
		since time.Time
	}
	var all []waiter
	for _, x := range r.pick(nil, s.res.Address, func(*resource) bool { return true }) {
		if since, ok := s.lot.waiting(x); ok {
			all = append(all, waiter{x, since})
		}
	}
	if len(all) <= maxParked {
		return
	}
	slices.SortFunc(all, func(a, b waiter) int { return a.since.Compare(b.since) })
	for _, w := range all[:len(all)-maxParked] {
		w.s.expire()
	}
}

// putBack is the end of a resumption that came to nothing: where nobody else has taken the stream
// it waits on.
func (s *Server) putBack(x *Stream, turn uint32) {
	if turn == 0 {
		return
	}
	x.mu.Lock()
	mine := x.turn.Load() == turn
	waits := mine && !x.gone.Load() && x.parkLocked()
	x.mu.Unlock()
	switch {
	case waits:
		s.router.crowd(x)
	case mine:
		s.depart(x)
	}
}

// depart is the end of a stream that has no connection.
func (s *Server) depart(x *Stream) {
	x.leave(s.router, "connection lost")
	x.ses.Close()
	s.router.bury(x)
}

// bury passes on what was for a client that will not have it. The stream has ended, and nobody
// writes for it any more.
func (r *Router) bury(s *Stream) {
	s.mu.Lock()
	left := append(s.first, s.q.live()...)
	s.q, s.first, s.sent, s.bytes, s.idle = fifo[item]{}, nil, 0, 0, nil
	if s.sm != nil && s.sm.timer != nil {
		s.sm.timer.Stop()
		s.sm.timer = nil
	}
	s.mu.Unlock()
	if len(left) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), unbindTimeout)
	defer cancel()
	for _, it := range left {
		r.lost(ctx, s, it.b)
	}
}

// lost is a stanza that its client will not get, as if it had not been there (XEP-0198 section 4):
// who asked for something hears it, and messages are for modules to keep.
func (r *Router) lost(ctx context.Context, s *Stream, b []byte) {
	st, err := ParseStanza(b)
	switch {
	case err != nil: // what belongs to the stream itself
	case st.Kind == KindMessage:
		r.undelivered(ctx, s, b)
	case st.Kind == KindIQ && (st.Type == "get" || st.Type == "set"):
		if x := r.at(st.From); x != nil {
			x.Put(st.Failure(xstanza.ServiceUnavailable, xstanza.Cancel))
		}
	}
}
