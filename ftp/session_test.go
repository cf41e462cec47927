package ftp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

func TestSessionFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("big", make([]byte, 64<<20))
	one := func() identity.Info {
		t.Helper()
		all := w.sessions()
		if len(all) != 1 {
			t.Fatalf("%d sessions", len(all))
		}
		return all[0]
	}
	c := dial(t, w.addr)
	if i := one(); i.State != identity.StateConnected || i.User != nil || i.Level != identity.LevelNone {
		t.Errorf("after accept: %+v", i)
	}
	c.do(200, "CLNT Test\x1b 1.0")
	c.secure(insecure(0))
	c.do(331, "USER alice")
	if i := one(); i.State != identity.StateLogin || i.TLS == nil || *i.TLS != "TLS 1.3" || i.UserAgent == nil || *i.UserAgent != "Test? 1.0" {
		t.Errorf("after USER: %+v", i)
	}
	c.do(230, "PASS "+w.password)
	if i := one(); i.State != identity.StateReady || i.User == nil || *i.User != "alice" || i.Level != identity.LevelUser || i.LoginAt == nil {
		t.Errorf("after PASS: %+v", i)
	}
	c.do(200, "PROT C")
	d := c.passive()
	c.do(150, "RETR /big")
	if i := one(); i.State != identity.StateTransfer || i.Doing != "RETR /big" {
		t.Errorf("in a transfer: %+v", i)
	}
	if n, err := io.Copy(io.Discard, d); n != 64<<20 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	c.want(226)
	if i := one(); i.State != identity.StateReady || i.Doing != "" || i.BytesOut != 64<<20 {
		t.Errorf("after it: %+v", i)
	}
	c.do(220, "REIN")
	if i := one(); i.State != identity.StateConnected || i.User != nil || i.Level != identity.LevelNone {
		t.Errorf("after REIN: %+v", i)
	}
	c.do(221, "QUIT")
	eventually(t, "the session leaves the list", func() bool { return len(w.sessions()) == 0 })
}

func TestKick(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("big", make([]byte, 64<<20))
	kick := func(t *testing.T, c *client) {
		t.Helper()
		start := time.Now()
		all := w.sessions()
		if len(all) != 1 {
			t.Fatalf("%d sessions", len(all))
		}
		if err := w.identity.Registry.End(all[0].ID, identity.Reason{Code: identity.ReasonEnded, Text: "Ended by the test."}); err != nil {
			t.Fatal(err)
		}
		if r := c.want(421); r != "421 Ended by the test.\r\n" {
			t.Errorf("%q", r)
		}
		c.ended()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("after %s", took)
		}
	}
	t.Run("before log-in", func(t *testing.T) { kick(t, dial(t, w.addr)) })
	t.Run("idle", func(t *testing.T) { kick(t, dial(t, w.addr).login("alice", w.password)) })
	t.Run("over TLS", func(t *testing.T) { kick(t, dial(t, w.addr).secure(insecure(0)).login("alice", w.password)) })
	t.Run("in a download", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		c.passive()
		c.do(150, "RETR big")
		kick(t, c)
	})
	t.Run("in an upload", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		d := c.passive()
		c.do(150, "STOR up")
		_, _ = io.WriteString(d, "half")
		eventually(t, "the bytes came", func() bool { return w.moved() >= 4 })
		kick(t, c)
		eventually(t, "the session leaves the list", func() bool { return len(w.sessions()) == 0 })
		if w.exists("up") {
			t.Error("the half file stands under its name")
		}
	})
	t.Run("by disabling the account", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		off := identity.UserDisabled
		if _, err := w.identity.SetUser(t.Context(), root, "alice", identity.UserChange{State: &off}); err != nil {
			t.Fatal(err)
		}
		c.want(421)
		c.ended()
		again := dial(t, w.addr)
		again.do(331, "USER alice")
		if r := again.do(530, "PASS "+w.password); !strings.Contains(r, "wrong") {
			t.Errorf("the answer tells of the account: %q", r)
		}
	})
}

func TestRefusedAtTheDoor(t *testing.T) {
	w := newWorld(t, func(w *world) { w.connections = 2 })
	dial(t, w.addr)
	dial(t, w.addr)
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, in: newReader(conn)}
	t.Cleanup(c.close)
	c.want(421)
	c.ended()
}

func TestShutdown(t *testing.T) {
	w := newWorld(t)
	content := make([]byte, 32<<20)
	w.write("big", content)
	idle := dial(t, w.addr).login("alice", w.password)
	stranger := dial(t, w.addr)
	busy := dial(t, w.addr).login("alice", w.password)
	d := busy.passive()
	busy.do(150, "RETR big")
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		down <- w.srv.Shutdown(ctx)
	}()
	idle.want(421)
	idle.ended()
	stranger.want(421)
	if n, err := io.Copy(io.Discard, d); n != int64(len(content)) || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	busy.want(226)
	busy.want(421)
	if err := <-down; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", w.addr); err == nil {
		_ = c.Close()
		t.Error("connections are still taken")
	}
}

func TestShutdownCuts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("big", make([]byte, 64<<20))
	busy := dial(t, w.addr).login("alice", w.password)
	busy.passive()
	busy.do(150, "RETR big")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := w.srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("after %s", took)
	}
}

func TestIdleEngine(t *testing.T) {
	w := newWorld(t)
	w.srv.SetEngineLife(20 * time.Millisecond)
	c := dial(t, w.addr).login("alice", w.password)
	if n := w.srv.Engines(); n != 0 {
		t.Errorf("%d engines before a transfer", n)
	}
	for range 3 {
		c.put("STOR a", []byte("x"))
		eventually(t, "the engine is dropped", func() bool { return w.srv.Engines() == 0 })
	}
	w.srv.SetEngineLife(time.Minute)
	c.get("RETR a")
	c.do(220, "REIN")
	if n := w.srv.Engines(); n != 0 {
		t.Errorf("%d engines after REIN", n)
	}
}

func TestAnonymousFields(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.Anonymous = true })
	w.write("secret", []byte("x"))
	c := dial(t, w.addr)
	c.do(331, "USER ftp")
	c.do(230, "PASS someone@example.org")
	i := w.sessions()[0]
	if i.Level != identity.LevelAnonymous || i.User != nil || i.AnonUser == nil || *i.AnonUser != "someone@example.org" || i.OrigUser == nil || *i.OrigUser != "ftp" {
		t.Errorf("%+v", i)
	}
	c.do(200, "TYPE I")
	for _, p := range []string{"secret", "/home/alice/secret", "/../secret", "/pub/../home/alice/secret"} {
		c.do(550, "SIZE "+p)
	}
}

// TestKickOfADeafClient ends a session whose client reads no replies.
func TestKickOfADeafClient(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	// Commands until neither side's buffers take any more: the server waits in a write.
	_ = c.conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	for {
		if _, err := io.WriteString(c.conn, strings.Repeat("HELP\r\n", 1000)); err != nil {
			break
		}
	}
	start := time.Now()
	if err := w.identity.Registry.End(w.sessions()[0].ID, identity.Reason{Code: identity.ReasonEnded}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("End waited %s for the client", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.srv.Shutdown(ctx); err != nil || ctx.Err() != nil {
		t.Error(err, ctx.Err())
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the connection lived on for %s", took)
	}
}

// TestShutdownStopsCommands ends a command that waits for somebody else.
func TestShutdownStopsCommands(t *testing.T) {
	dns := &slowResolver{asked: make(chan struct{}), err: make(chan error, 1)}
	w := newWorld(t, func(w *world) { w.cfg.PublicAddress, w.resolver = "ftp.example.org", dns })
	c := dial(t, w.addr).login("alice", w.password)
	c.send("PASV\r\n")
	<-dns.asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, w.srv.Shutdown(ctx))
	if err := <-dns.err; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// slowResolver never answers.
type slowResolver struct {
	asked chan struct{}
	err   chan error
}

func (r *slowResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	close(r.asked)
	<-ctx.Done()
	r.err <- ctx.Err()
	return nil, ctx.Err()
}
