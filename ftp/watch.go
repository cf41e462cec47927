package ftp

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// moment is how long a goroutine that reads commands may be held up by a transfer.
	moment = 5 * time.Millisecond
	// tick is how often the counters of a transfer follow the kernel's.
	tick = time.Second
)

// watch looks after a transfer that lasts longer than a moment: somebody else reads commands then,
// the port takes no more connections, silence ends it, and the session's counters follow it.
type watch struct {
	t *transfer

	stopped atomic.Bool // done, for who does not hold mu

	mu      sync.Mutex // guards what follows
	counted int64
	timer   *time.Timer // nil: the moment is not over
	done    bool
	pace    pace
}

func (w *watch) start(t *transfer) {
	w.t, w.pace.at = t, t.began
	t.s.srv.moments.add(w)
}

// look is called when the moment is over, and by the timer from then on.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return
	}
	t := w.t
	first := w.timer == nil
	if first {
		t.s.handOver(t)
	} else {
		n := t.progress()
		w.count(n)
		t.move.Show(n, w.pace.step(n, time.Now()))
	}
	w.limit()
	const looks = 4 // in the time that a stall may last
	next := min(tick, t.s.srv.limits.FTPStallTimeout/looks)
	if first {
		w.timer = time.AfterFunc(next, w.look)
	} else {
		w.timer.Reset(next)
	}
}

// limit ends a connection that is silent for too long: a download by the kernel, so that sendfile
// is not touched, an upload by the kernel's clock of the last data, so that splice is not. mu is
// held.
func (w *watch) limit() {
	t := w.t
	conn := t.door.established()
	if conn == nil {
		return
	}
	limit := t.s.srv.limits.FTPStallTimeout
	if t.upload == nil {
		limitSending(conn, limit)
		return
	}
	since := t.heard.Load()
	if since == 0 {
		return // the bytes do not flow yet, and other limits count
	}
	info, ok := askTCP(conn)
	if ok && min(info.quiet, time.Since(time.Unix(0, since))) >= limit {
		_ = conn.SetReadDeadline(time.Now())
	}
}

// count notes that n bytes have been moved in all; mu is held.
func (w *watch) count(n int64) {
	more := n - w.counted
	if more <= 0 {
		return
	}
	w.counted = n
	if w.t.upload != nil {
		w.t.s.ses.CountIn(more)
	} else {
		w.t.s.ses.CountOut(more)
	}
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
	w.stopped.Store(true)
	if w.timer != nil {
		w.timer.Stop()
	}
	w.count(w.t.moved.Load())
}
