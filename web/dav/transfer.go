package dav

import (
	"net/http"
	"sync"
	"sync/atomic"

	"trivium/identity"
	"trivium/internal/httpio"
)

// transfers are those that run, by session.
type transfers struct {
	mu      sync.Mutex // guards what follows
	running map[*identity.Session]map[*transfer]struct{}
}

// transfer is a body on its way, in or out.
type transfer struct {
	all     *transfers
	ses     *identity.Session
	watch   *httpio.Watch // the session as the transfer's reads and writes see it
	meter   *identity.Meter
	stopped chan struct{} // closed when somebody breaks it off
	once    sync.Once     // closes it
	still   func() bool   // whether the session may go on with it; from any goroutine
}

// begin notes a transfer and lists it; size is what it moves in all, -1 where nobody knows. cut is called
// when its session ends or somebody stops it, for it may wait for the network then.
func (q *request) begin(way identity.Direction, size int64, still func() bool, cut func(*http.ResponseController)) *transfer {
	all := &q.h.transfers
	t := &transfer{all: all, ses: q.ses, still: still, stopped: make(chan struct{})}
	all.mu.Lock()
	if all.running == nil {
		all.running = map[*identity.Session]map[*transfer]struct{}{}
	}
	if all.running[q.ses] == nil {
		all.running[q.ses] = map[*transfer]struct{}{}
	}
	all.running[q.ses][t] = struct{}{}
	all.mu.Unlock()
	t.watch = httpio.NewWatch(q.ses, t.stopped, http.NewResponseController(q.w), cut)
	t.meter = q.ses.Meter(q.r.Method, way, q.path, size, 0, t.stop)
	return t
}

// end comes before the handler returns, for the connection is another's then.
func (t *transfer) end() {
	t.watch.End()
	t.meter.End()
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	if delete(t.all.running[t.ses], t); len(t.all.running[t.ses]) == 0 {
		delete(t.all.running, t.ses)
	}
}

// why is the reason why the transfer was cut, if it was.
func (t *transfer) why() error {
	select {
	case <-t.ses.Ended():
		return identity.ErrEnded
	case <-t.stopped:
		return errStopped
	default:
		return nil
	}
}

// stop breaks it off.
func (t *transfer) stop() { t.once.Do(func() { close(t.stopped) }) }

// look breaks off those transfers of a session that it has no right to any more.
func (all *transfers) look(ses *identity.Session) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for t := range all.running[ses] {
		if !t.still() {
			t.stop()
		}
	}
}

// holder is the road's side of a session. Ended sessions are seen by the requests themselves.
type holder struct {
	all *transfers
	ses atomic.Pointer[identity.Session]
}

func (*holder) SessionEnded(identity.Reason) {}

// SessionChanged breaks off what the session may not go on with.
func (o *holder) SessionChanged() {
	if ses := o.ses.Load(); ses != nil {
		o.all.look(ses)
	}
}
