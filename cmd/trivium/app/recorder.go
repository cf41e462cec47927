package app

import (
	"bytes"
	"io"
	"net/http"

	"go.uber.org/dig"
)

// recorder keeps a handler's answer to a request that never crossed a socket.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func serveLocally(h http.Handler, r *http.Request) *http.Response {
	w := &recorder{header: http.Header{}}
	h.ServeHTTP(w, r)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r}
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// plain takes fx's and dig's own words off an error, which then is the line that a part wrote.
func plain(err error) error { return dig.RootCause(err) }
