package xmpp

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/jid"
	xstream "mellium.im/xmpp/stream"

	"trivium/config"
)

// paper is a transport that keeps what is written.
type paper struct {
	transport
	lines chan string
}

func newPaper() *paper { return &paper{lines: make(chan string, 10000)} }

func (*paper) closing() []byte    { return nil }
func (*paper) hurry(time.Time)    {}
func (*paper) deadline(time.Time) {}
func (*paper) cut()               {}
func (*paper) shut()              {}
func (p *paper) write(items []item, _ time.Duration) error {
	for _, it := range items {
		p.lines <- string(it.b)
	}
	return nil
}

// one is what the writer stands with.
func (p *paper) one() (string, bool) {
	synctest.Wait()
	select {
	case l := <-p.lines:
		return l, true
	default:
		return "", false
	}
}

// all is what has been written since it was asked last.
func (p *paper) all() string {
	synctest.Wait()
	var b strings.Builder
	for {
		select {
		case l := <-p.lines:
			b.WriteString(l)
		default:
			return b.String()
		}
	}
}

// managedStream is a stream with XEP-0198 on.
func managedStream(t *testing.T) (*Stream, *paper) {
	t.Helper()
	s, p := newStream(jid.JID{}, nil, "", config.Limits{XMPPQueueSize: 100 << 10}), newPaper()
	s.attach(p, nil)
	s.release()
	el, err := ParseElement([]byte("<enable xmlns='urn:xmpp:sm:3'/>"))
	if err != nil {
		t.Fatal(err)
	}
	s.enable(el)
	if got := p.all(); !strings.HasPrefix(got, "<enabled xmlns='urn:xmpp:sm:3' id='") || strings.Contains(got, "resume") {
		t.Fatal(got)
	}
	return s, p
}

const answered = "<a xmlns='urn:xmpp:sm:3' h='"

func TestHold(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(s *Stream)
		h    string // after a request at the end of do
	}{
		{"nothing held", func(s *Stream) { s.handled(); s.handled() }, "2"},
		{"done while it is handled", func(s *Stream) { h := s.Hold(); h.Done(); s.handled() }, "1"},
		{"done later", func(s *Stream) { h := s.Hold(); s.handled(); h.Done() }, "1"},
		{"out of order", func(s *Stream) {
			a := s.Hold()
			s.handled()
			b := s.Hold()
			s.handled()
			s.handled()
			b.Done()
			a.Done()
		}, "3"},
		{"two holds", func(s *Stream) {
			a, b := s.Hold(), s.Hold()
			s.handled()
			a.Done()
			s.handled()
			b.Done()
		}, "2"},
		{"around the end of numbers", func(s *Stream) {
			s.sm.in, s.sm.h = math.MaxUint32, math.MaxUint32
			a := s.Hold()
			s.handled()
			b := s.Hold()
			s.handled()
			b.Done()
			a.Done()
		}, "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := managedStream(t)
				tt.do(s)
				s.request()
				if got, want := p.all(), answered+tt.h+"'/>"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

// A request is answered when all that came before it is durable, and not before.
func TestRequestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := managedStream(t)
		a := s.Hold()
		s.handled()
		s.request()
		b := s.Hold()
		s.handled()
		s.request()
		if got := p.all(); got != "" {
			t.Fatalf("answered too early: %s", got)
		}
		a.Done()
		if got := p.all(); got != answered+"1'/>" {
			t.Errorf("got %s", got)
		}
		b.Done()
		if got := p.all(); got != answered+"2'/>" {
			t.Errorf("got %s", got)
		}
		s.request()
		if got := p.all(); got != answered+"2'/>" {
			t.Errorf("got %s", got)
		}
	})
}

// The reader does not run ahead of the store without end.
func TestHeldIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := managedStream(t)
		var holds []Hold
		n := 0
		go func() {
			for range maxHeld + 10 {
				holds = append(holds, s.Hold())
				s.handled()
				n++
			}
		}()
		synctest.Wait()
		if n != maxHeld-1 {
			t.Errorf("%d stanzas are held", n)
		}
		first := holds[0]
		first.Done()
		synctest.Wait()
		if n != maxHeld {
			t.Errorf("%d stanzas are held after one is done", n)
		}
		s.drop()
		synctest.Wait()
		if n != maxHeld+10 {
			t.Error("the reader waits for ever")
		}
	})
}

func TestAcknowledge(t *testing.T) {
	for _, tt := range []struct {
		name        string
		acked       uint32 // before
		h           uint32
		left        int // of four
		bad         bool
		detail      string
		calledBacks int
	}{
		{name: "none", h: 0, left: 4},
		{name: "some", h: 3, left: 1, calledBacks: 3},
		{name: "all", h: 4, left: 0, calledBacks: 4},
		{name: "too many", h: 5, left: 4, bad: true, detail: "h='5' send-count='4'"},
		{name: "far too many", h: math.MaxUint32, left: 4, bad: true},
		{name: "less than before", acked: 10, h: 9, left: 4, bad: true, detail: "h='9' send-count='14'"},
		{name: "over the end of numbers", acked: math.MaxUint32 - 1, h: 1, left: 1, calledBacks: 3},
		{name: "too many over the end of numbers", acked: math.MaxUint32 - 1, h: 3, left: 4, bad: true, detail: "h='3' send-count='2'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := managedStream(t)
				s.sm.acked = tt.acked
				calls := 0
				for range 4 {
					s.PutThen([]byte("<message/>"), func() { calls++ })
				}
				p.all()
				err := s.acknowledge(tt.h)
				var f *fault
				if errors.As(err, &f) != tt.bad || err != nil && !strings.Contains(string(streamError(f.cond, f.text)),
					"<undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>") {
					t.Errorf("got %v", err)
				}
				if tt.detail != "" && !strings.Contains(string(streamError(f.cond, "")), "<handled-count-too-high xmlns='urn:xmpp:sm:3' "+tt.detail+"/>") {
					t.Errorf("got %s", streamError(f.cond, ""))
				}
				if s.q.len() != tt.left || calls != tt.calledBacks {
					t.Errorf("%d left, %d called back", s.q.len(), calls)
				}
				s.drop()
			})
		})
	}
}

// The server asks with a stanza when it has not asked for a while, else after some stanzas, after
// some bytes, or after that while, and never twice before the answer.
func TestAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := managedStream(t)
		const r = "<r xmlns='urn:xmpp:sm:3'/>"
		put := func(n, size int) string {
			for range n {
				s.Put([]byte("<message>" + strings.Repeat("x", size) + "</message>"))
			}
			return p.all()
		}
		if got := put(1, 1); !strings.HasSuffix(got, r) {
			t.Error("does not ask with the first stanza")
		}
		if err := s.acknowledge(1); err != nil {
			t.Fatal(err)
		}
		if got := put(askAfter-1, 1); strings.Contains(got, r) {
			t.Error("asks for a few stanzas")
		}
		if got := put(1, 1); !strings.HasSuffix(got, r) {
			t.Error("does not ask after some stanzas")
		}
		if got := put(20, 1000); strings.Contains(got, r) {
			t.Error("asks again before the answer")
		}
		if err := s.acknowledge(1 + askAfter); err != nil {
			t.Fatal(err)
		}
		if got := p.all(); got != r {
			t.Errorf("does not ask on: %q", got)
		}
		if err := s.acknowledge(1 + askAfter + 20); err != nil {
			t.Fatal(err)
		}
		if got := put(1, askAfterBytes); !strings.HasSuffix(got, r) {
			t.Error("does not ask after some bytes")
		}
		if err := s.acknowledge(1 + askAfter + 21); err != nil {
			t.Fatal(err)
		}
		if got := put(1, 1); strings.Contains(got, r) {
			t.Error("asks again at once")
		}
		time.Sleep(askEach)
		if got := p.all(); got != r {
			t.Errorf("does not ask after a while: %q", got)
		}
		if err := s.acknowledge(1 + askAfter + 22); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * askEach)
		if got := p.all(); got != "" || s.sm.timer != nil {
			t.Errorf("asks for nothing: %q", got)
		}
	})
}

// What is not durable in time is as if it had not come.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := managedStream(t)
		a := s.Hold()
		s.handled()
		b := s.Hold()
		s.handled()
		go func() { time.Sleep(settling / 2); a.Done() }()
		if !s.settle(t.Context(), s.turn.Load()) {
			t.Fatal("not settled")
		}
		if s.sm.in != 1 || s.sm.h != 1 {
			t.Errorf("in %d, h %d", s.sm.in, s.sm.h)
		}
		s.handled()
		c := s.Hold()
		s.handled()
		b.Done() // of the past
		if s.sm.h != 2 {
			t.Errorf("h %d", s.sm.h)
		}
		c.Done()
		if s.sm.h != 3 {
			t.Errorf("h %d", s.sm.h)
		}
	})
}

// What is put before stream management is on is not counted, wherever it is then.
func TestEnableInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStream(jid.JID{}, nil, "", config.Limits{XMPPQueueSize: 100 << 10}), newPaper()
		p.lines = make(chan string) // the writer stands
		s.attach(p, nil)
		s.release([]byte("<bound/>"))
		calls := ""
		s.PutThen([]byte("<message id='1'/>"), func() { calls += "1" })
		synctest.Wait()
		s.PutThen([]byte("<message id='2'/>"), func() { calls += "2" })
		el, _ := ParseElement([]byte("<enable xmlns='urn:xmpp:sm:3'/>"))
		s.enable(el)
		s.PutThen([]byte("<message id='3'/>"), func() { calls += "3" })
		got := ""
		for range 6 { // and a request
			got += <-p.lines
		}
		synctest.Wait()
		i, j, k := strings.Index(got, "id='1'"), strings.Index(got, "id='2'"), strings.Index(got, "<enabled")
		if i < 0 || j < i || k < j || strings.Index(got, "id='3'") < k {
			t.Errorf("got %s", got)
		}
		if calls != "12" || s.q.len() != 1 || s.bytes != s.q.live()[0].size() {
			t.Errorf("called back %q, %d in the queue, %d bytes", calls, s.q.len(), s.bytes)
		}
		if err := s.acknowledge(1); err != nil || calls != "123" || s.bytes != 0 {
			t.Errorf("%v, %q, %d", err, calls, s.bytes)
		}
	})
}

// Room in the reader does not wait for what only the reader can read.
func TestRoomWithoutAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := managedStream(t)
		begin := time.Now()
		for range 300 { // three times the queue, and nothing is acknowledged
			s.Room()
			if !s.Put(make([]byte, 1000)) {
				t.Fatal("the stream has ended")
			}
			p.all()
		}
		if took := time.Since(begin); took != unheard {
			t.Errorf("it took %v", took)
		}
		for s.Put(make([]byte, 1000)) {
			p.all()
		}
		if s.bytes > 4*s.maxBytes || s.bytes < 3*s.maxBytes {
			t.Errorf("it ended with %d bytes", s.bytes)
		}
		p.all()
	})
}

// Room elsewhere waits for the client.
func TestRoomWithAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := managedStream(t)
		go func() { // the client takes what is sent a second later
			for h := uint32(0); h < 1000; {
				time.Sleep(time.Second)
				s.mu.Lock()
				n := s.sent
				s.mu.Unlock()
				h += uint32(n)
				if err := s.acknowledge(h); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		for range 1000 {
			s.Room()
			if !s.Put(make([]byte, 1000)) {
				t.Fatal("the stream has ended")
			}
			p.all()
			s.mu.Lock()
			bytes, deaf := s.bytes, s.sm.deaf
			s.mu.Unlock()
			if bytes > 2*s.maxBytes+2000 || deaf {
				t.Fatalf("%d bytes", bytes)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.bytes != 0 || s.sm.out != 0 {
			t.Errorf("%d bytes, %d sent", s.bytes, s.sm.out)
		}
	})
}

func TestSeeOtherHost(t *testing.T) {
	cond := xstream.SeeOtherHost
	cond.Content = "[2001:db8::1]:5222<"
	if got, want := string(streamError(cond, "")), "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[2001:db8::1]:5222&lt;</see-other-host></stream:error>"; got != want {
		t.Errorf("got %s", got)
	}
}

// A client that is read at a rate is read later, not less.
func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bucket
		begin := time.Now()
		for range 20 {
			b.take(t.Context(), 1000, 1000)
		}
		if took := time.Since(begin); took < 17*time.Second || took > 18*time.Second {
			t.Errorf("20 s worth of bytes took %v, with 2 s of burst", took)
		}
		time.Sleep(time.Hour)
		begin = time.Now()
		b.take(t.Context(), 2000, 1000)
		if took := time.Since(begin); took != 0 {
			t.Errorf("a burst took %v", took)
		}
	})
}

// A client that asks and does not read makes the server keep nothing.
func TestRequestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := managedStream(t)
		p.lines = make(chan string) // the writer stands
		for range 100_000 {
			s.request()
		}
		synctest.Wait()
		if s.bytes != 0 || len(s.first) != 0 || s.sm.owed > maxAnswers {
			t.Errorf("%d bytes, %d elements, %d answers", s.bytes, len(s.first), s.sm.owed)
		}
		n := 0
		for _, ok := p.one(); ok; _, ok = p.one() {
			n++
		}
		if n == 0 || n > 2*maxAnswers {
			t.Errorf("%d answers", n)
		}
		// What is refused again and again is kept in part only, and then ends the stream.
		for range 1000 {
			s.nonza(smFailed("unexpected-request"))
		}
		if len(s.first) > 64 || !s.gone.Load() {
			t.Errorf("%d elements wait", len(s.first))
		}
		for _, ok := p.one(); ok; _, ok = p.one() {
		}
	})
}

func TestFIFO(t *testing.T) {
	var f fifo[int]
	next, first := 0, 0
	for round := range 2000 {
		for range round % 7 {
			f.push(next)
			next++
		}
		n := min(f.len(), round*3%11)
		for i, v := range f.live() {
			if v != first+i {
				t.Fatalf("round %d: %v", round, f.live())
			}
		}
		f.drop(n)
		first += n
		if f.len() != next-first || cap(f.all) > 1000 {
			t.Fatalf("round %d: %d items, %d places", round, f.len(), cap(f.all))
		}
	}
}
