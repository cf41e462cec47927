package httpio

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Body is a request's body, or a part of it, that is being read. Each read has its own deadline, so
// an upload may take hours but never stand still; an ended session ends it.
type Body struct {
	io.Reader
	Conn    *http.ResponseController
	Pause   time.Duration // the longest that one read may take
	Session Session
	Ended   error             // what a read answers once the session has ended
	Explain func(error) error // what Broken says of an error of the connection; nil: the error

	Broken error // what cut the body; storing may fail for reasons of its own
}

// Renew gives the next read its deadline.
func (b *Body) Renew() { _ = b.Conn.SetReadDeadline(time.Now().Add(b.Pause)) }

// Read reads, and notes in Broken why it could not.
func (b *Body) Read(p []byte) (int, error) {
	select {
	case <-b.Session.Ended():
		b.Broken = b.Ended
		return 0, b.Broken
	default:
	}
	b.Renew()
	n, err := b.Reader.Read(p)
	if n > 0 {
		b.Session.CountIn(int64(n))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.Broken = err
		if b.Explain != nil {
			b.Broken = b.Explain(err)
		}
	}
	return n, err
}
