package httpio

import (
	"io"
	"net/http"
	"time"
)

// Session is what a transfer asks the session that it belongs to.
type Session interface {
	Ended() <-chan struct{}
	Touch()
	CountIn(n int64)
	CountOut(n int64)
}

const (
	// stall is how long one slice of a download may take: below about 9 kB/s it is cut.
	stall = time.Minute
	slice = 512 << 10 // bytes
)

// Sender passes a file on in slices, so that each gets its own deadline, the bytes are counted
// while they go, and a session that ends takes its downloads with it. A slice reaches the
// connection as a *os.File behind one LimitedReader, which is what sendfile(2) needs.
type Sender struct {
	http.ResponseWriter
	Session Session
	Ended   error       // what it answers once the session has ended
	Moved   func(int64) // told of bytes that have gone; nil: nobody
}

// Unwrap is for http.ResponseController.
func (w *Sender) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *Sender) renew() error {
	select {
	case <-w.Session.Ended():
		return w.Ended
	default:
	}
	w.Session.Touch()
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(stall))
}

func (w *Sender) count(n int64) {
	w.Session.CountOut(n)
	if w.Moved != nil {
		w.Moved(n)
	}
}

// WriteHeader gives the answer to a long request its own deadline, too: it may have no body.
func (w *Sender) WriteHeader(status int) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(stall)) // an error: there are none
	w.ResponseWriter.WriteHeader(status)
}

// Write sends b.
func (w *Sender) Write(b []byte) (int, error) {
	if err := w.renew(); err != nil {
		return 0, err
	}
	n, err := w.ResponseWriter.Write(b)
	w.count(int64(n))
	return n, err
}

// ReadFrom sends src, a LimitedReader over a file by sendfile(2) where there is one.
func (w *Sender) ReadFrom(src io.Reader) (total int64, err error) {
	all, ok := src.(*io.LimitedReader)
	to := readerFrom(w.ResponseWriter)
	if !ok || to == nil {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	for all.N > 0 {
		if err := w.renew(); err != nil {
			return total, err
		}
		part := &io.LimitedReader{R: all.R, N: min(all.N, slice)}
		n, err := to.ReadFrom(part)
		all.N -= n
		total += n
		w.count(n)
		if err != nil {
			return total, err
		}
		if n == 0 {
			return total, nil // the file became shorter meanwhile
		}
	}
	return total, nil
}

// readerFrom finds the connection's own ReadFrom below the wrappers; HTTP/2 has none.
func readerFrom(w http.ResponseWriter) io.ReaderFrom {
	for {
		if rf, ok := w.(io.ReaderFrom); ok {
			return rf
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = u.Unwrap()
	}
}
