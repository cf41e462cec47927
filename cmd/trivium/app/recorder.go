package app

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"go.uber.org/dig"
)

// recorder hands a handler's answer on to a request that never crossed a socket, as it comes: an
// export may be larger than memory.
type recorder struct {
	header http.Header
	status int
	sent   http.Header // header as it was when the answer began
	once   sync.Once
	began  chan struct{}
	body   *io.PipeWriter
}

// serveLocally runs h until it has answered and the body was read or closed.
func serveLocally(h http.Handler, r *http.Request) *http.Response {
	out, in := io.Pipe()
	w := &recorder{header: http.Header{}, began: make(chan struct{}), body: in}
	go func() {
		defer func() {
			err := io.EOF
			if v := recover(); v != nil { // the API recovers from all but what cuts a connection
				err = io.ErrUnexpectedEOF
				if e, ok := v.(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
					defer panic(v)
				}
			}
			w.begin(http.StatusOK)
			_ = in.CloseWithError(err) // it returns nil
		}()
		h.ServeHTTP(w, r)
	}()
	<-w.began
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: out, ContentLength: -1, Request: r}
}

func (w *recorder) begin(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.began)
	})
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if status >= 200 {
		w.begin(status)
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.body.Write(p)
}

// plain takes fx's and dig's own words off an error, which then is the line that a part wrote.
func plain(err error) error { return dig.RootCause(err) }
