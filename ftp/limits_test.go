package ftp_test

import (
	"strings"
	"testing"
	"time"
)

// TestNoTransferTimeout ends who only keeps the connection alive; a listing renews it, NOOP not.
func TestNoTransferTimeout(t *testing.T) {
	t.Parallel()
	const limit = 800 * time.Millisecond
	w := newWorld(t, func(w *world) { w.limits.FTPNoTransferTimeout = limit })
	c := dial(t, w.addr).login("alice", w.password)
	start := time.Now()
	c.get("NLST")
	listed := time.Now()
	d := c.passive()
	c.do(150, "STOR slow")             // while it runs, the limit does not
	pace := time.NewTicker(limit / 16) // of a slow sender
	defer pace.Stop()
	for time.Since(listed) < limit+limit/2 {
		if _, err := d.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		<-pace.C
	}
	must(t, d.Close())
	c.want(226)
	c.do(200, "NOOP")
	ended := time.Now()
	if r := c.want(421); r != "421 No transfer and no listing for 800ms; closing.\r\n" {
		t.Errorf("%q", r)
	}
	c.ended()
	if took := time.Since(ended); took > limit+5*time.Second || time.Since(start) < 2*limit {
		t.Errorf("after %s", took)
	}
}

// TestSessionTimeout ends every session when its time is over, one that transfers too.
func TestSessionTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.limits.FTPSessionTimeout = 700 * time.Millisecond })
	const text = "421 A session lasts 700ms at most, and this one has; closing.\r\n"
	t.Run("idle", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		c.do(220, "REIN") // renews nothing
		c.login("alice", w.password)
		if r := c.want(421); r != text {
			t.Errorf("%q", r)
		}
		c.ended()
	})
	t.Run("in an upload", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		d := c.passive()
		c.do(150, "STOR part")
		_, err := d.Write([]byte("some"))
		must(t, err)
		if r := c.want(421); r != text {
			t.Errorf("%q", r)
		}
		c.ended()
		if w.exists("part") {
			t.Error("half an upload is seen")
		}
	})
	t.Run("over TLS", func(t *testing.T) {
		c := dial(t, w.addr).secure(insecure(0)).login("alice", w.password)
		if r := c.want(421); !strings.HasPrefix(r, "421 A session lasts") {
			t.Errorf("%q", r)
		}
	})
}
