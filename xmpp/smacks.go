package xmpp

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"time"

	xstanza "mellium.im/xmpp/stanza"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// nsSM is stream management, XEP-0198.
const nsSM = "urn:xmpp:sm:3"

// When the server asks what has arrived: after so much, or together with a stanza when it has not
// asked for that long. Never while an answer is due. A client that says nothing when it leaves
// (section 4) then has little that it gets again.
const (
	askAfter      = 5 // stanzas
	askAfterBytes = 8 << 10
	askEach       = time.Second
)

// unheard is how long Room waits for an acknowledgement.
const unheard = 10 * time.Second

const (
	// maxHeld bounds the stanzas of one client that are handled and not yet durable. Its reader
	// waits beyond it.
	maxHeld = 512
	// maxAnswers bounds the answers of one batch; more requests are answered together.
	maxAnswers = 8
	// neverHeld is the number of a stanza that will not be durable.
	neverHeld = math.MaxUint16
	// reserved is the room for answers and a request in a batch.
	reserved = maxAnswers + 1
)

// smacks is what a stream keeps for XEP-0198. Stream.mu guards it.
type smacks struct {
	id    string
	life  time.Duration // how long the stream waits for its client; 0: it cannot be resumed
	acked uint32        // h of the client

	// What the client has sent: in stanzas were handled, the first h of them are durable. open has
	// one number for each of the others, which is how many holds it has, or neverHeld; now is that of
	// the stanza that is being handled. epoch numbers the connections, as a stanza that was not durable when
	// one was lost is sent again.
	in, h uint32
	open  fifo[uint16]
	now   uint16
	epoch uint16

	// The client's requests: owed have to be answered now, and where waits is set those that came
	// when in was first … last as soon as h gets there.
	owed        uint8
	waits       bool
	first, last uint32

	out  int  // bytes of the queue that were sent
	roof int  // what the queue may hold while the stream has no connection
	deaf bool // an acknowledgement was waited for in vain

	ask        bool // ask with the next batch
	asked      bool // an answer is due
	since      int  // stanzas sent since the last request
	sinceBytes int
	lastAsked  time.Time

	timer   *time.Timer   // asks after askEach, or ends a stream that waits for too long
	armed   bool          // for asking
	room    chan struct{} // closed when fewer are open, and at the end; made by who waits
	parked  *parked       // in the lot; nil: not there
	expires time.Time     // while it is parked
}

func (sm *smacks) due() bool { return sm != nil && (sm.owed > 0 || sm.ask && !sm.asked) }

// resumable reports whether the client may come back to the stream.
func (s *Stream) resumable() bool { return s.sm != nil && s.sm.life > 0 }

// tail appends to a batch what XEP-0198 has to say behind the stanzas sent in it.
func (s *Stream) tail(items, sent []item) []item {
	sm := s.sm
	for range min(sm.owed, maxAnswers) {
		items = append(items, item{b: smElement("a", sm.h)})
	}
	sm.owed = 0
	sm.since += len(sent)
	for _, it := range sent {
		sm.sinceBytes += len(it.b)
	}
	switch {
	case sm.asked:
	case sm.ask || sm.since >= askAfter || sm.sinceBytes >= askAfterBytes || len(sent) > 0 && time.Since(sm.lastAsked) >= askEach:
		items = append(items, item{b: []byte("<r xmlns='" + nsSM + "'/>")})
		sm.asked, sm.ask, sm.since, sm.sinceBytes, sm.lastAsked = true, false, 0, 0, time.Now()
	case sm.since > 0 && !sm.armed:
		sm.armed = true
		s.arm(askEach)
	}
	return items
}

func smElement(name string, h uint32) []byte {
	return append(AppendAttr([]byte("<"+name+" xmlns='"+nsSM+"'"), "h", strconv.FormatUint(uint64(h), 10)), "/>"...)
}

// arm sets the stream's one timer, which tick looks at.
func (s *Stream) arm(after time.Duration) {
	if s.sm.timer == nil {
		s.sm.timer = time.AfterFunc(after, s.tick)
		return
	}
	s.sm.timer.Reset(after)
}

// tick asks a client for what it has not acknowledged for a while, or ends a stream whose client
// has not come back.
func (s *Stream) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	sm := s.sm
	switch {
	case s.gone.Load():
	case sm.parked != nil:
		if time.Now().Before(sm.expires) { // an older alarm
			return
		}
		s.endLocked(xstream.ConnectionTimeout, "")
	case sm.armed:
		sm.armed = false
		if sm.since > 0 && s.sent > 0 && !sm.asked {
			sm.ask = true
			s.wake()
		}
		if s.sent == 0 {
			sm.timer = nil
		}
	}
}

// probe makes the client say something: it is asked for an acknowledgement, or pinged (XEP-0199).
func (s *Stream) probe() {
	s.mu.Lock()
	if s.sm != nil {
		s.sm.ask, s.sm.asked = true, false
		s.wake()
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	b := AppendAttr([]byte("<iq type='get' id='ping'"), "from", s.full.Domain().String())
	b = AppendAttr(b, "to", s.full.String())
	s.Put(append(b, "><ping xmlns='"+nsPing+"'/></iq>"...))
}

// enable turns acknowledgements on (section 3): counting begins with what is put from now on, and
// with what the client sends next. The answer is `<enabled/>` or `<failed/>`. While the stream is
// being bound the caller sends the answer before it releases the queue; later it is in the queue
// already.
func (s *Stream) enable(el *Element) (answer []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sm != nil || s.gone.Load() {
		return smFailed(xstanza.UnexpectedRequest)
	}
	sm := &smacks{id: rand.Text()}
	answer = AppendAttr([]byte("<enabled xmlns='"+nsSM+"'"), "id", sm.id)
	// An anonymous session has an address that nobody can log in to again.
	v, _ := el.Attr("resume")
	if wanted, _ := ParseBool(v); wanted && s.res.owner != "" && s.lot != nil && s.lot.life > 0 {
		sm.life = s.lot.life
		if v, ok := el.Attr("max"); ok {
			if n, err := strconv.ParseUint(v, 10, 31); err == nil && n > 0 {
				sm.life = min(sm.life, time.Duration(n)*time.Second)
			}
		}
		answer = fmt.Appendf(answer, " resume='true' max='%d'", int64(sm.life/time.Second))
	}
	answer = append(answer, "/>"...)
	if !s.held {
		// What is in the writer's hands is no more the queue's, and what is not goes before.
		for _, it := range s.q.live()[s.sent:] {
			s.first = append(s.first, it)
		}
		s.first = append(s.first, item{b: answer})
		s.q.drop(s.q.len())
		s.sent, s.bytes = 0, 0
		s.spaced()
	}
	s.sm = sm
	s.wake()
	return answer
}

func smFailed(cond xstanza.Condition) []byte {
	return fmt.Appendf(nil, "<failed xmlns='%s'><%s xmlns='%s'/></failed>", nsSM, cond, nsStanzas)
}

// smFeature offers stream management.
const smFeature = "<sm xmlns='" + nsSM + "'/>"

// manages registers stream management and client states with what a stream offers, and with what
// can be asked for in binding (XEP-0386 section 3.1). XEP-0478 says what the limits are.
func (reg *Registrar) manages(o Options) {
	defaults(&o.Limits)
	offer := append([]byte(smFeature+"<csi xmlns='"+nsCSI+"'/>"), limitsFeature(int64(o.Limits.XMPPStanzaSize), o.Config.PingInterval)...)
	reg.Offer(func(*identity.Session) []byte { return offer })
	reg.Bind(xml.Name{Space: nsSM, Local: "enable"}, func(_ context.Context, s *Stream, el *Element) []byte { return s.enable(el) })
	for _, state := range []string{"inactive", "active"} {
		reg.Bind(xml.Name{Space: nsCSI, Local: state}, func(_ context.Context, s *Stream, _ *Element) []byte {
			s.setInactive(state == "inactive")
			return nil
		})
	}
}

// limitsFeature is XEP-0478: the largest element in bytes, and the silence after which the client
// is asked whether it is there.
func limitsFeature(size int64, silence time.Duration) []byte {
	b := fmt.Appendf(nil, "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>%d</max-bytes>", size)
	if silence >= time.Second {
		b = fmt.Appendf(b, "<idle-seconds>%d</idle-seconds>", int64(silence/time.Second))
	}
	return append(b, "</limits>"...)
}

// managed handles an element of XEP-0198 before a stream is bound: all that there is to do is to
// resume one, after the log-in.
func (n *negotiation) managed(el *Element) (resumed bool, err error) {
	if !n.authed || el.Name.Local != "resume" {
		return false, n.write(smFailed(xstanza.UnexpectedRequest))
	}
	ok, failed, err := n.resume(el, func(_ *Stream, resumed []byte) [][]byte { return [][]byte{resumed} })
	if err != nil || ok {
		return ok, err
	}
	return false, n.write(failed)
}

// managed handles an element of XEP-0198 that came over a bound stream.
func (s *Stream) managed(el *Element) error {
	switch el.Name.Local {
	case "enable":
		if s.sm != nil { // section 3: a stream error
			return &fault{xstream.PolicyViolation, "stream management is on already"}
		}
		s.enable(el)
		return nil
	case "r", "a":
		if s.sm == nil {
			s.nonza(smFailed(xstanza.UnexpectedRequest))
			return nil
		}
		if el.Name.Local == "r" {
			s.request()
			return nil
		}
		h, ok := ackOf(el)
		if !ok {
			return &fault{xstream.BadFormat, "an acknowledgement needs a number h"}
		}
		return s.acknowledge(h)
	case "resume": // section 5: in the place of binding only
		s.nonza(smFailed(xstanza.UnexpectedRequest))
		return nil
	}
	return &fault{xstream.UnsupportedStanzaType, "that is not understood"}
}

// ackOf is the number h of an element.
func ackOf(el *Element) (uint32, bool) {
	v, _ := el.Attr("h")
	h, err := strconv.ParseUint(v, 10, 32)
	return uint32(h), err == nil
}

// nonza sends what is no stanza. A client that provokes more of it than it reads has its stream
// ended.
func (s *Stream) nonza(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 64
	if len(s.first) >= most {
		s.endLocked(xstream.PolicyViolation, "Too many requests wait to be answered.")
		return
	}
	s.first = append(s.first, item{b: b})
	s.wake()
}

// request is `<r/>`: it is answered as soon as all that came before it is durable.
func (s *Stream) request() {
	s.mu.Lock()
	defer s.mu.Unlock()
	sm := s.sm
	switch {
	case sm.h == sm.in:
		sm.owed = min(sm.owed+1, maxAnswers)
		s.wake()
	case !sm.waits:
		sm.waits, sm.first, sm.last = true, sm.in, sm.in
	default:
		sm.last = sm.in
	}
}

// acknowledge is h of the client: it has the stanzas up to that one.
func (s *Stream) acknowledge(h uint32) error {
	s.mu.Lock()
	err := s.mayAck(h)
	var gone []func()
	if err == nil {
		gone = s.ackLocked(h)
	}
	s.mu.Unlock()
	for _, f := range gone {
		f()
	}
	return err
}

// mayAck says whether the client may acknowledge h: neither less than before nor more than was
// sent, which modulo 2³² is one question (section 6).
func (s *Stream) mayAck(h uint32) error {
	if n := h - s.sm.acked; uint64(n) > uint64(s.sent) {
		count := s.sm.acked + uint32(s.sent)
		cond := xstream.UndefinedCondition
		cond.Content = fmt.Sprintf("<handled-count-too-high xmlns='%s' h='%d' send-count='%d'/>", nsSM, h, count)
		return &fault{cond, fmt.Sprintf("You acknowledged %d stanzas, but %d were sent so far, and %d were acknowledged before.", h, count, s.sm.acked)}
	}
	return nil
}

// ackLocked drops what the client has; the caller calls what it returns, without mu.
func (s *Stream) ackLocked(h uint32) (gone []func()) {
	sm := s.sm
	n := int(h - sm.acked)
	for _, it := range s.q.live()[:n] {
		if it.gone != nil {
			gone = append(gone, it.gone)
		}
	}
	s.taken(n)
	sm.acked, sm.asked, sm.deaf = h, false, false
	if s.sent == 0 {
		sm.since, sm.sinceBytes = 0, 0
		if sm.timer != nil {
			sm.timer.Stop()
			sm.timer, sm.armed = nil, false
		}
	}
	switch {
	case sm.since >= askAfter || sm.sinceBytes >= askAfterBytes:
		sm.ask = true
		s.wake()
	case sm.since > 0 && !sm.armed:
		sm.armed = true
		s.arm(askEach)
	}
	return gone
}

// Hold keeps the acknowledgement of the stanza that is being handled back until Done. Only the
// goroutine that handles a stanza of s may call Stream.Hold, and before it returns; more than one
// hold of a stanza is fine.
type Hold struct {
	s     *Stream
	n     uint32 // the number of the stanza
	epoch uint16
}

// Hold is for what handles a stanza that s sent: the client is not told that the server has it
// before Done. Without XEP-0198 it does nothing and costs nothing.
func (s *Stream) Hold() Hold {
	sm := s.sm
	if sm == nil {
		return Hold{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sm.now != neverHeld {
		sm.now++
	}
	return Hold{s, sm.in + 1, sm.epoch}
}

// Done says that what was held for is durable, or that the client must not send it again although it is
// not; see Failed. Any goroutine may call it, once.
func (h Hold) Done() {
	if h.s == nil {
		return
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	sm := h.s.sm
	if h.epoch != sm.epoch {
		return
	}
	if left := h.left(); *left > 0 && *left != neverHeld {
		*left--
		h.s.durable()
	}
}

// left is how many holds the stanza has; Stream.mu is held.
func (h Hold) left() *uint16 {
	sm := h.s.sm
	if i := h.n - sm.h - 1; i < uint32(sm.open.len()) {
		return &sm.open.live()[i]
	}
	return &sm.now
}

// Failed says that what was held for is not durable and will not be. Until it is acknowledged a stanza
// is its sender's, to be sent again (XEP-0198 section 4), and to come back is the only reason that a
// client has for that: its connection ends, with internal-server-error where that can be said, and the stream waits. When the
// client comes back to it h says from where on it sends again. A stream that cannot wait ends. Any
// goroutine may call it, in the place of Done. It does not block.
func (h Hold) Failed() {
	s := h.s
	if s == nil {
		return
	}
	const text = "The server could not keep what was sent last. Send it again."
	s.mu.Lock()
	if h.epoch != s.sm.epoch || s.gone.Load() {
		s.mu.Unlock()
		return
	}
	*h.left() = neverHeld
	t := s.t
	switch {
	case t == nil: // it waits already
		s.mu.Unlock()
		return
	case !s.resumable() || !s.lot.park(s):
		s.endLocked(xstream.InternalServerError, text)
		s.mu.Unlock()
		return
	}
	s.detach()
	s.awaitLocked()
	over := s.charge()
	s.mu.Unlock()
	farewell(t, streamError(xstream.InternalServerError, text))
	if over {
		s.lot.trim()
	}
}

// durable moves h on over what is durable, and answers what waited for it.
func (s *Stream) durable() {
	sm := s.sm
	n := 0
	for _, holds := range sm.open.live() {
		if holds > 0 {
			break
		}
		n++
	}
	if n == 0 {
		return
	}
	sm.open.drop(n)
	sm.h += uint32(n)
	if sm.room != nil {
		close(sm.room)
		sm.room = nil
	}
	if sm.waits && int32(sm.h-sm.first) >= 0 {
		sm.owed = min(sm.owed+1, maxAnswers)
		if sm.waits = sm.h != sm.last && int32(sm.last-sm.h) > 0; sm.waits {
			sm.first = sm.last
		}
		s.wake()
	}
}

// handled counts a stanza of the client, and waits where too many are not durable. Only the reader
// calls it.
func (s *Stream) handled() {
	sm := s.sm
	if sm == nil {
		return
	}
	s.mu.Lock()
	sm.in++
	holds := sm.now
	sm.now = 0
	switch {
	case holds == 0 && sm.open.len() == 0:
		sm.h++
	default:
		sm.open.push(holds)
	}
	for sm.open.len() >= maxHeld && !s.gone.Load() && s.t != nil {
		if sm.room == nil {
			sm.room = make(chan struct{})
		}
		room := sm.room
		s.mu.Unlock()
		<-room
		s.mu.Lock()
	}
	s.mu.Unlock()
}
