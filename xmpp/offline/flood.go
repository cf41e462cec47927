package offline

import (
	"context"
	"sync"
	"time"

	"trivium/xmpp"
)

// page is how many messages are read at one time.
const page = 20

// dropWithin bounds the removal of messages that a client has.
const dropWithin = 10 * time.Second

// presence gives what waits to the first client that comes and takes messages (section 2).
func (o *Offline) presence(ctx context.Context, p *xmpp.Presence) {
	owner := p.By.Owner()
	if !p.Available || p.Priority < 0 || owner.ID == "" || p.By.Is(o.seen) {
		return
	}
	p.By.Set(o.seen, true)
	if f := o.claim(owner, p.By); f != nil {
		f.run(ctx)
	}
}

// flood is what one client is being given. There is one at a time for each account.
type flood struct {
	o     *Offline
	owner xmpp.Owner
	s     *xmpp.Stream

	crossed bool // messages may have been written since it began to read; guarded by Offline.mu

	dropping sync.Mutex // one removal after the other; taken before mu

	mu      sync.Mutex
	more    bool // something has come to wait since; guarded by Offline.mu
	open    int  // put and not yet known to be there
	put     bool
	arrived []int64
	drops   bool // a goroutine drops what has arrived
}

// claim makes a flood; nil where another client is being given what waits, or nothing does.
func (o *Offline) claim(owner xmpp.Owner, s *xmpp.Stream) *flood {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, busy := o.floods[owner.ID]; busy {
		return nil
	}
	if _, nothing := o.none.of[owner.ID]; nothing {
		return nil
	}
	f := &flood{o: o, owner: owner, s: s, crossed: o.none.writing[owner.ID] > 0}
	o.floods[owner.ID] = f
	return f
}

// down is called when a stream has ended: what it has not acknowledged goes to another client, or
// waits on.
func (o *Offline) down(ctx context.Context, s *xmpp.Stream) {
	owner := s.Owner()
	o.mu.Lock()
	f := o.floods[owner.ID]
	o.mu.Unlock()
	if f == nil || f.s != s {
		return
	}
	f.drop(ctx)
	f.end(false)
	o.another(ctx, owner)
}

// late is called when something has come to wait: a client may have come meanwhile, and have had
// its flood already.
func (o *Offline) late(ctx context.Context, owner xmpp.Owner) {
	o.mu.Lock()
	f := o.floods[owner.ID]
	if f != nil {
		f.more = true
	}
	o.mu.Unlock()
	if f == nil {
		o.another(ctx, owner)
	}
}

// another gives what waits to a client that is there, if any.
func (o *Offline) another(ctx context.Context, owner xmpp.Owner) {
	var buf [8]*xmpp.Stream
	for _, other := range o.router.AvailableStreams(buf[:0], owner.Address) {
		// One that has not been seen yet is about to have its flood, or reads by XEP-0013.
		if _, priority, ok := o.router.Available(other); !ok || priority < 0 || !other.Is(o.seen) || other.Is(o.asks) {
			continue
		}
		if next := o.claim(owner, other); next != nil {
			go next.run(context.WithoutCancel(ctx)) // it ends with that stream
		}
		return
	}
}

// end is called once for each flood. With again what has come to wait meanwhile goes the same way.
func (f *flood) end(again bool) {
	f.o.mu.Lock()
	if f.o.floods[f.owner.ID] != f {
		f.o.mu.Unlock()
		return
	}
	delete(f.o.floods, f.owner.ID)
	again = again && f.more
	f.o.mu.Unlock()
	if again {
		f.o.another(context.Background(), f.owner)
	}
}

// run puts all that waits into the stream, as fast as the client takes it. A message is dropped
// when the client has it.
func (f *flood) run(ctx context.Context) {
	for after := int64(0); ; {
		list, err := f.o.store.Wait(ctx, f.owner.ID, after, page)
		if err != nil {
			f.o.log.Error("messages that wait were not delivered", "user", f.owner.String(), "error", err)
			f.end(false)
			return
		}
		for _, w := range list {
			after = w.ID
			b, err := w.delayed(f.owner, "")
			if err != nil {
				f.o.log.Error("a message that waits cannot be read", "user", f.owner.String(), "id", w.ID, "error", err)
				continue
			}
			f.s.Room()
			f.begin()
			if !f.s.PutThen(b, func() { f.has(w.ID) }) {
				return // it has ended, and down is called
			}
		}
		if after == 0 {
			f.o.nothing(f)
		}
		if len(list) < page {
			f.all()
			return
		}
	}
}

func (f *flood) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
}

// has is called when the client has a message. It must not wait.
func (f *flood) has(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	f.arrived = append(f.arrived, id)
	f.next()
}

// all is called when everything has been put.
func (f *flood) all() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put = true
	f.next()
}

// next is called with mu held.
func (f *flood) next() {
	if f.drops || len(f.arrived) == 0 && !(f.put && f.open == 0) {
		return
	}
	f.drops = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropWithin)
		defer cancel()
		for f.drop(ctx) {
		}
	}()
}

// drop removes what has arrived, many at a time; false where there was nothing.
func (f *flood) drop(ctx context.Context) bool {
	f.dropping.Lock()
	defer f.dropping.Unlock()
	f.mu.Lock()
	ids := f.arrived
	f.arrived = nil
	done := f.put && f.open == 0
	if len(ids) == 0 {
		f.drops = false
	}
	f.mu.Unlock()
	if len(ids) == 0 {
		if done {
			f.end(true)
		}
		return false
	}
	if err := f.o.store.Drop(ctx, f.owner.ID, ids...); err != nil {
		f.o.log.Error("messages that were delivered are not removed, and will come again", "user", f.owner.String(), "error", err)
	}
	return true
}

// delayed is the message with the time at which it came (XEP-0203), and with one more element where
// that is not ""; to "" leaves the address as it is.
func (w Waiting) delayed(owner xmpp.Owner, to string, added ...string) ([]byte, error) {
	st, err := xmpp.ParseStanza(w.Stanza)
	if err != nil {
		return nil, err
	}
	if to == "" {
		to = st.To.String()
	}
	delay := "<delay xmlns='urn:xmpp:delay' from='" + xmpp.Escape(owner.Domain()) + "' stamp='" + stamp(w.At) + "'>" + reason + "</delay>"
	return st.Rewritten(st.From.String(), to, append(added, delay)...), nil
}

// stamp is a time as XEP-0082 writes it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }
