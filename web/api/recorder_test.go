package api_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"
)

// kept keeps an answer of a handler without a network.
type kept struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newRecorder() *kept { return &kept{header: http.Header{}} }

func (r *kept) Header() http.Header { return r.header }

func (r *kept) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *kept) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// eventually waits until ok, for at most 10 s.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("it did not happen in time")
		}
	}
}
