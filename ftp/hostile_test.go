package ftp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// record keeps log lines.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// find gives the line whose message and doing are these.
func (r *record) find(t *testing.T, msg, doing string) map[string]any {
	t.Helper()
	for l := range strings.Lines(r.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		if m["msg"] == msg && m["doing"] == doing {
			return m
		}
	}
	t.Fatalf("no line %q of %q in\n%s", msg, doing, r.String())
	return nil
}

// TestLogKeys: each line of a session says who, from where and by which road, of the log-in that
// it belongs to; and what people type is not in it.
func TestLogKeys(t *testing.T) {
	log := &record{}
	w := newWorld(t, func(w *world) { w.log = slog.New(slog.NewJSONHandler(log, nil)) })
	w.add("bob", 10)
	c := dial(t, w.addr)
	c.do(331, "USER typed-a-secret")
	c.do(530, "PASS wrong-secret")
	c.do(500, "secret-as-verb")
	c.login("alice", w.password)
	c.put("STOR a", []byte("x"))
	c.do(220, "REIN")
	c.login("bob", w.password)
	const odd = "b\xe2\x80\xa8\x1b[31m" // no client may make such a name, but it may be there
	bob := filepath.Join(filepath.Dir(w.home), "bob")
	must(t, os.MkdirAll(bob, 0o755))
	must(t, os.WriteFile(filepath.Join(bob, odd), []byte("x"), 0o644))
	c.get("RETR " + odd)
	remote := c.conn.LocalAddr().String()
	for _, tt := range []struct{ doing, user string }{{"STOR /a", "alice"}, {"RETR /b??[31m", "bob"}} {
		m := log.find(t, "transfer done", tt.doing)
		if m["user"] != tt.user || m["remote"] != remote || m["protocol"] != "ftp" || m["sess"] != w.sessions()[0].ID {
			t.Errorf("%v", m)
		}
	}
	c.do(220, "REIN")
	c.do(234, "AUTH TLS")
	c.send("no handshake\r\n")
	eventually(t, "the handshake has failed", func() bool { return strings.Contains(log.String(), `"TLS handshake"`) })
	for l := range strings.Lines(log.String()) {
		if strings.Contains(l, "secret") {
			t.Errorf("a secret in %s", l)
		}
		if strings.Contains(l, `"TLS handshake"`) && (strings.Contains(l, `"user"`) || !strings.Contains(l, `"sess"`)) {
			t.Errorf("of nobody: %s", l)
		}
	}
}

// TestAppendThatFails: a part outlives an APPE that brings nothing.
func TestAppendThatFails(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	d := c.passive()
	c.do(150, "STOR part")
	if _, err := io.WriteString(d, "half"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bytes came", func() bool { return w.moved() >= 4 })
	c.do(426, "ABOR")
	c.want(226)
	c.do(229, "EPSV")
	c.do(425, "APPE part") // nobody connects
	c.passive()
	c.do(150, "APPE part")
	c.do(426, "ABOR")
	c.want(226)
	if r := c.do(213, "SIZE part"); r != "213 4\r\n" {
		t.Errorf("%q", r)
	}
	c.put("APPE part", []byte("+rest"))
	if got := w.read("part"); string(got) != "half+rest" {
		t.Errorf("%q", got)
	}
}

// TestShutdownPastDeafClients: clients that read no replies, also before the log-in, hold up
// neither the end nor one another.
func TestShutdownPastDeafClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 6 {
		c := dial(t, w.addr)
		_ = c.conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		for {
			if _, err := io.WriteString(c.conn, strings.Repeat("HELP\r\n", 1000)); err != nil {
				break
			}
		}
	}
	polite := dial(t, w.addr)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := w.srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("after %s", took)
	}
	polite.want(421)
}
