package ftp_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// TestMaintenance: who may not work gets 421 (RFC 959 section 4.2), at the log-in and in a session that ends.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := dial(t, w.addr).login("alice", w.password)
	set := func(c identity.MaintenanceChange) {
		t.Helper()
		if _, _, err := w.identity.SetMaintenance(t.Context(), root, c); err != nil {
			t.Fatal(err)
		}
	}
	set(identity.MaintenanceChange{On: true, Message: "New disks", Until: time.Now().Add(time.Hour)})
	there.do(200, "NOOP")
	c := dial(t, w.addr)
	c.do(331, "USER alice")
	if got := c.do(421, "PASS "+w.password); !strings.Contains(got, "New disks") || !strings.Contains(got, "(In ") {
		t.Errorf("%q", got)
	}
	set(identity.MaintenanceChange{On: true, Message: "New disks", End: true})
	if got := there.want(421); !strings.Contains(got, "New disks") {
		t.Errorf("%q", got)
	}
	set(identity.MaintenanceChange{})
	dial(t, w.addr).login("alice", w.password)
}

// TestAnnouncement stands before the last line of the reply to a log-in, and none of its lines looks like one.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.identity.Announce(t.Context(), root, identity.NewAnnouncement{Text: "Down at 9\n230 You are not logged in.", Audience: identity.Audience{Kind: identity.AudienceAll}})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, w.addr)
	c.do(331, "USER alice")
	if got, want := c.do(230, "PASS "+w.password), "230-Down at 9\r\n 230 You are not logged in.\r\n230 You are logged in.\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.do(200, "NOOP")
}

// TestAnnouncementInSession: who is logged in already is told before the reply to the next command whose text
// no client reads, once; nothing comes that was not asked for.
func TestAnnouncementInSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setups["hello"])
	announce := func(text string, to identity.AudienceKind) string {
		t.Helper()
		a, err := w.identity.Announce(t.Context(), root, identity.NewAnnouncement{Text: text, Audience: identity.Audience{Kind: to}})
		must(t, err)
		return a.ID
	}
	c := dial(t, w.addr).login("alice", w.password)
	stranger := dial(t, w.addr)
	announce("Down at 9\n257 /etc", identity.AudienceOnline)
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for line, code := range map[string]int{"PWD": 257, "SIZE hello.txt": 213, "CWD none": 550, "SYST": 215, "TYPE x": 501} { // whose answers clients read, and refusals
		if got := c.do(code, line); strings.Contains(got, "Down") {
			t.Errorf("%s: %q", line, got)
		}
	}
	is(c.do(250, "CWD /"), "250-Down at 9\r\n 257 /etc\r\n250 \"/\" is the current folder.\r\n")
	is(c.do(200, "NOOP"), "200 Fine.\r\n")
	is(stranger.do(200, "NOOP"), "200 Fine.\r\n")

	announce("two", identity.AudienceAll)
	is(c.do(200, "TYPE I"), "200-two\r\n200 Type is image (binary).\r\n")
	announce("three", identity.AudienceAll)
	is(c.do(200, "NOOP"), "200-three\r\n200 Fine.\r\n")
	announce("four", identity.AudienceAll)
	d := c.passive()
	c.do(150, "RETR hello.txt")
	_, _ = io.Copy(io.Discard, d)
	is(c.want(226), "226-four\r\n226 Transfer complete.\r\n")
	gone := announce("withdrawn", identity.AudienceAll)
	must(t, w.identity.EndAnnouncement(t.Context(), root, gone))
	is(c.do(200, "NOOP"), "200 Fine.\r\n")

	// Who comes now is told what holds, but what was for those who were there.
	is(dial(t, w.addr).login("alice", w.password).do(200, "NOOP"), "200 Fine.\r\n")
	late := dial(t, w.addr)
	late.do(331, "USER alice")
	is(late.do(230, "PASS "+w.password), "230-two\r\n230-three\r\n230-four\r\n230 You are logged in.\r\n")
}
