package web

import (
	"net/http"
	"sync"
	"time"

	"trivium/identity"
)

// cutEvery is how often a transfer is cut until it has noticed: a deadline may just be renewed.
const cutEvery = 50 * time.Millisecond

// running is a download or an upload while it runs: the session as its reads and writes see it, which
// has ended when the transfer may not go on.
type running struct {
	*identity.Session
	over, done, gone, lost chan struct{}
	once                   sync.Once // closes lost
	stop                   func()
}

// Ended is closed when the session ends, or may not go on with the transfer.
func (r *running) Ended() <-chan struct{} { return r.over }

// run watches over a transfer of the visitor. still says whether it may go on, and is asked when the
// session's rights change; cut wakes it where it waits for the network.
func (v *visit) run(still func() bool, cut func(*http.ResponseController)) *running {
	r := &running{Session: v.browser.Session, over: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{}), lost: make(chan struct{})}
	look := func() {
		if !still() {
			r.once.Do(func() { close(r.lost) })
		}
	}
	r.stop = r.OnChange(look)
	look() // for what has changed since it was opened
	rc := http.NewResponseController(v.Response().Writer)
	go func() {
		defer close(r.gone)
		select {
		case <-r.Session.Ended():
		case <-r.lost:
		case <-r.done:
			return
		}
		close(r.over)
		again := time.NewTicker(cutEvery)
		defer again.Stop()
		for {
			cut(rc)
			select {
			case <-again.C:
			case <-r.done:
				return
			}
		}
	}()
	return r
}

// end comes before the handler returns, for the connection is another's then. It reports whether the
// transfer was cut because the right to it is gone.
func (r *running) end() (lost bool) {
	r.stop()
	close(r.done)
	<-r.gone
	select {
	case <-r.lost:
		return true
	default:
		return false
	}
}
