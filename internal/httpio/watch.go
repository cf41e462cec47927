package httpio

import (
	"net/http"
	"time"
)

// cutEvery is how often a transfer is cut until it has noticed: a deadline may just be renewed.
const cutEvery = 50 * time.Millisecond

// Watch is the session as the reads and writes of one transfer see it: it has ended when the session has,
// or when the transfer is to stop.
type Watch struct {
	Session
	over, done, gone chan struct{}
}

// NewWatch watches over a transfer until End. Once the session ends or stop is closed, cut wakes it where
// it waits for the network.
func NewWatch(ses Session, stop <-chan struct{}, conn *http.ResponseController, cut func(*http.ResponseController)) *Watch {
	w := &Watch{Session: ses, over: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(w.gone)
		select {
		case <-ses.Ended():
		case <-stop:
		case <-w.done:
			return
		}
		close(w.over)
		again := time.NewTicker(cutEvery)
		defer again.Stop()
		for {
			cut(conn)
			select {
			case <-again.C:
			case <-w.done:
				return
			}
		}
	}()
	return w
}

// Ended is closed when the session ends, or the transfer is to stop.
func (w *Watch) Ended() <-chan struct{} { return w.over }

// End comes before the handler returns, for the connection is another's then. It returns when nothing
// touches that any more.
func (w *Watch) End() {
	close(w.done)
	<-w.gone
}

// CutReads wakes a transfer that waits for its client's bytes.
func CutReads(conn *http.ResponseController) { _ = conn.SetReadDeadline(time.Now()) }

// CutWrites wakes a transfer that waits until its client takes bytes.
func CutWrites(conn *http.ResponseController) { _ = conn.SetWriteDeadline(time.Now()) }
