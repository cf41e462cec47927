package ftp_test

import (
	"io"
	"strings"
	"testing"

	"trivium/identity"
)

// A transfer that its session has no right to any more is broken off at once: the group was left, or a
// rule has come. Another goes on, and so does the session.
func TestTransferEndsWithItsRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	if _, err := w.identity.AddGroup(ctx, root, "team", 0); err != nil {
		t.Fatal(err)
	}
	if err := w.identity.AddMembers(ctx, root, "team", []string{"alice"}, false); err != nil {
		t.Fatal(err)
	}
	w.write("big", make([]byte, 64<<20))
	c := dial(t, w.addr).login("alice", w.password)
	never := identity.LevelNobody
	rule := func(pattern string) {
		t.Helper()
		if _, err := w.identity.ChangeRules(ctx, root, []identity.RuleChange{{Pattern: pattern, Level: &never}}, false); err != nil {
			t.Fatal(err)
		}
	}
	put := func(path string, change func()) {
		t.Helper()
		d := c.passive()
		c.do(150, "STOR "+path)
		if _, err := d.Write([]byte("what came")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the bytes have come", func() bool { x := w.sessions()[0].Transfer; return x != nil && x.Bytes == 9 })
		rule("file:/home/nobody/**") // is about something else
		if x := w.sessions()[0].Transfer; x == nil {
			t.Fatal("a rule about something else has cut it")
		}
		change()
		if r := c.want(426); !strings.Contains(r, "rights have changed") {
			t.Errorf("%q", r)
		}
	}
	put("/groups/team/part", func() {
		if err := w.identity.RemoveMembers(ctx, root, "team", []string{"alice"}); err != nil {
			t.Fatal(err)
		}
	})
	d := c.passive()
	c.do(150, "RETR /big")
	if _, err := io.CopyN(io.Discard, d, 1<<20); err != nil {
		t.Fatal(err)
	}
	rule("file:/home/alice/big")
	if n, _ := io.Copy(io.Discard, d); n > 63<<20-1 {
		t.Error("all of the file came")
	}
	c.want(426)
	put("/part", func() { rule("file:/home/alice/part for user:alice") })
	c.do(200, "NOOP")
}
