package web

import (
	"errors"
	"io/fs"
	"net/http"
	"sync"

	"trivium/identity"
	"trivium/internal/httpio"
)

// errStopped is what a transfer gets that somebody has broken off.
var errStopped = errors.New("the transfer was stopped")

// running is a download or an upload while it runs, which ends when the session may not go on with it, or
// when somebody stops it. What it moves is shown in the list of sessions.
type running struct {
	*httpio.Watch
	meter  *identity.Meter
	over   chan struct{} // closed when it is to end
	once   sync.Once
	why    error    // set before over is closed
	forget []func() // end the looks at the session
}

// cut ends it, once.
func (r *running) cut(why error) {
	r.once.Do(func() {
		r.why = why
		close(r.over)
	})
}

// run watches over a transfer of the visitor. size is what it moves in all, of which done is there
// already; -1: nobody knows. still says whether it may go on, and is asked when the session's rights
// change, nil: always; cut wakes it where it waits for the network.
func (v *visit) run(verb string, way identity.Direction, path string, size, done int64, still func() bool, cut func(*http.ResponseController)) *running {
	ses := v.browser.Session
	r := &running{over: make(chan struct{})}
	r.meter = ses.Meter(verb, way, path, size, done, func() { r.cut(errStopped) })
	if still != nil {
		look := func() {
			if !still() {
				r.cut(fs.ErrPermission)
			}
		}
		r.forget = append(r.forget, ses.OnChange(look))
		look() // for what has changed since it was opened
	}
	r.Watch = httpio.NewWatch(ses, r.over, http.NewResponseController(v.Response().Writer), cut)
	return r
}

// CountIn counts received bytes of the session and of the transfer.
func (r *running) CountIn(n int64) {
	r.Watch.CountIn(n)
	r.meter.Moved(n)
}

// CountOut counts sent bytes of the session and of the transfer.
func (r *running) CountOut(n int64) {
	r.Watch.CountOut(n)
	r.meter.Moved(n)
}

// end comes before the handler returns. It says why the transfer was cut, where that was neither the client
// nor the end of the session: the right to it is gone, or somebody stopped it.
func (r *running) end() error {
	for _, f := range r.forget {
		f()
	}
	r.End()
	r.meter.End()
	select {
	case <-r.over:
		return r.why
	default:
		return nil
	}
}

// doing shows in the list of sessions what goes on, until the returned func is called.
func (v *visit) doing(what string) (done func()) {
	v.browser.Update(func(d *identity.Details) { d.Doing = what })
	return func() { v.browser.Update(func(d *identity.Details) { d.Doing = "" }) }
}
