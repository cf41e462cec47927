package web

import (
	"net/http"
	"sync"

	"trivium/internal/httpio"
)

// running is a download or an upload while it runs, which ends when the session may not go on with it.
type running struct {
	*httpio.Watch
	lost   chan struct{} // closed when the right to it is gone
	forget func()        // ends the look at the session's changes
}

// run watches over a transfer of the visitor. still says whether it may go on, and is asked when the
// session's rights change; cut wakes it where it waits for the network.
func (v *visit) run(still func() bool, cut func(*http.ResponseController)) *running {
	r := &running{lost: make(chan struct{})}
	var once sync.Once
	look := func() {
		if !still() {
			once.Do(func() { close(r.lost) })
		}
	}
	r.forget = v.browser.Session.OnChange(look)
	look() // for what has changed since it was opened
	r.Watch = httpio.NewWatch(v.browser.Session, r.lost, http.NewResponseController(v.Response().Writer), cut)
	return r
}

// end comes before the handler returns. It reports whether the transfer was cut because the right to it is
// gone.
func (r *running) end() (lost bool) {
	r.forget()
	r.End()
	select {
	case <-r.lost:
		return true
	default:
		return false
	}
}
