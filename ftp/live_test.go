package ftp_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"trivium/identity"
)

// TestLiveTransfer follows a download, stops it from outside, and goes on in the same session.
func TestLiveTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const size = 64 << 20
	w.write("big", make([]byte, size))
	c := dial(t, w.addr).login("alice", w.password)
	live := func() *identity.TransferInfo { return w.sessions()[0].Transfer }
	if err := w.identity.StopTransfer(root, w.sessions()[0].ID+".1"); err == nil {
		t.Error("a transfer that does not run was stopped")
	}
	c.do(350, "REST 1024")
	d := c.passive()
	c.do(150, "RETR /big")
	if x := live(); x == nil || x.Verb != "RETR" || x.Direction != identity.DirectionOut || x.Path != "/big" || x.Size != size-1024 || x.StartedAt.IsZero() {
		t.Fatalf("at the beginning: %+v", x)
	}
	if _, err := io.CopyN(io.Discard, d, 1<<20); err != nil {
		t.Fatal(err)
	}
	eventually(t, "bytes and rate are listed", func() bool { x := live(); return x.Bytes >= 1<<20 && x.Rate > 0 && x.Bytes <= x.Size })
	if r := dial(t, w.addr).login("alice", w.password).do(211, "SITE WHO"); !strings.Contains(r, " RETR /big, ") ||
		!strings.Contains(r, " of 67107840 bytes (") || !strings.Contains(r, " bytes/s\r\n") {
		t.Errorf("%q", r)
	}
	if _, err := io.Copy(io.Discard, d); err != nil {
		t.Error(err)
	}
	c.want(226)
}

// TestStopTransfer breaks off an upload from outside: 426, what came stays, the session lives.
func TestStopTransfer(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	d := c.passive()
	c.do(150, "STOR /part")
	if _, err := d.Write([]byte("what came")); err != nil {
		t.Fatal(err)
	}
	if x := w.sessions()[0].Transfer; x == nil || x.Verb != "STOR" || x.Direction != identity.DirectionIn || x.Path != "/part" || x.Size != -1 {
		t.Fatalf("listed: %+v", x)
	}
	eventually(t, "the bytes have come", func() bool { return w.sessions()[0].Transfer.Bytes == 9 })
	if err := w.identity.StopTransfer(identity.Actor{User: "boss", Via: "cli"}, w.sessions()[0].Transfer.ID); err != nil {
		t.Fatal(err)
	}
	if r := c.want(426); !strings.Contains(r, "administrator stopped") {
		t.Errorf("%q", r)
	}
	if x := w.sessions()[0].Transfer; x != nil {
		t.Errorf("still listed: %+v", x)
	}
	if r := c.do(213, "SIZE /part"); r != "213 9\r\n" {
		t.Errorf("the part: %q", r)
	}
	eventually(t, "the audit log says so", func() bool {
		rows, err := w.identity.Audit(t.Context(), identity.AuditFilter{Event: identity.EventTransferStop})
		return err == nil && len(rows) == 1 && rows[0].Actor == "boss" && rows[0].Subject == "alice" && rows[0].Detail == "STOR /part"
	})
	c.do(200, "NOOP")
	// The next transfer is another.
	d = c.passive()
	c.do(150, "STOR /next")
	old := w.sessions()[0].Transfer.ID
	if _, err := d.Write([]byte("all of it")); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	c.want(226)
	if err := w.identity.StopTransfer(root, old); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("a transfer that has ended is stopped: %v", err)
	}
}
