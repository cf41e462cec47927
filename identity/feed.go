package identity

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Bounds of the feed.
const (
	feedSize = 4096             // events that are kept
	feedIdle = 10 * time.Minute // after the last reader has left events are still kept so long
)

// FeedEvent is an event of the list with its place in the feed.
type FeedEvent struct {
	ID      string // for Feed; opaque
	Kind    EventKind
	Session *Info // of EventLagged nil; shared: for reading
	Reason  Reason
	At      time.Time
}

// feed keeps the last events of the list, so that a reader who was away can go on where it was. It
// costs nothing while nobody reads. Registry.mu guards it.
type feed struct {
	run     string // of this process: the places of another mean nothing here
	ring    []FeedEvent
	next    uint64        // place of the next event; the ring has those before it
	kept    uint64        // place of the oldest event that is there
	grown   chan struct{} // closed when there is another event; nil: nobody waits
	readers int
	left    time.Time // when the last reader left
}

// Feed reads the events of the list from a place on. Each reader takes them at its own pace, and who
// falls behind by more than are kept is told so once, by EventLagged.
type Feed struct {
	r    *Registry
	next uint64
	lost bool
}

// Feed begins to read. after is the ID of the last event that the reader has seen, "" for what comes
// from now on. Where that place is no longer known, the first event is EventLagged: then the list is
// to be read again. Close ends it.
func (r *Registry) Feed(after string) *Feed {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.feed
	if !r.fed() {
		f.begin()
		r.watching.Add(1) // until fed finds that nobody has come again
	}
	f.readers++
	rd := &Feed{r: r, next: f.next}
	if after != "" {
		at, ok := f.place(after)
		rd.lost = !ok || at+1 < f.kept || at >= f.next
		if !rd.lost {
			rd.next = at + 1
		}
	}
	return rd
}

// begin forgets what was before.
func (f *feed) begin() {
	if f.run == "" {
		f.run = newID()
	}
	f.ring = make([]FeedEvent, feedSize)
	f.next++ // a gap: what came while nobody read is lost
	f.kept = f.next
}

// place reads an ID.
func (f *feed) place(id string) (uint64, bool) {
	run, at, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(at, 10, 64)
	return n, err == nil && run == f.run
}

func (f *feed) id(at uint64) string { return f.run + "-" + strconv.FormatUint(at, 10) }

// fed reports whether events are kept; Registry.mu is held.
func (r *Registry) fed() bool {
	f := &r.feed
	if f.ring != nil && f.readers == 0 && r.now().Sub(f.left) > feedIdle {
		f.ring = nil
		r.watching.Add(-1)
	}
	return f.ring != nil
}

// add keeps an event.
func (f *feed) add(kind EventKind, info *Info, why Reason, at time.Time) {
	f.ring[f.next%feedSize] = FeedEvent{ID: f.id(f.next), Kind: kind, Session: info, Reason: why, At: at}
	f.next++
	f.kept = max(f.kept, f.next-min(f.next, feedSize))
	if f.grown != nil {
		close(f.grown)
		f.grown = nil
	}
}

// Next waits for events and returns those that there are, at most most of them; nil once ctx ends.
func (x *Feed) Next(ctx context.Context, most int) []FeedEvent {
	for {
		out, grown := x.take(most)
		if len(out) > 0 {
			return out
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil
		}
	}
}

func (x *Feed) take(most int) (out []FeedEvent, grown <-chan struct{}) {
	r := x.r
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.feed
	if x.lost || x.next < f.kept {
		x.lost, x.next = false, f.next
		// Its ID is that of the last event before it, so that a reader who goes on from there misses
		// nothing that comes after the list that it has read again.
		return []FeedEvent{{ID: f.id(f.next - 1), Kind: EventLagged, At: r.now()}}, nil
	}
	for ; x.next < f.next && len(out) < most; x.next++ {
		out = append(out, f.ring[x.next%feedSize])
	}
	if len(out) == 0 {
		if f.grown == nil {
			f.grown = make(chan struct{})
		}
		grown = f.grown
	}
	return out, grown
}

// Last is the ID of the last event that there is, for who reads the list and then what changes.
func (x *Feed) Last() string {
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	return x.r.feed.id(x.next - 1)
}

// Close ends the reading.
func (x *Feed) Close() {
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	if x.r.feed.readers--; x.r.feed.readers == 0 {
		x.r.feed.left = x.r.now()
	}
}
