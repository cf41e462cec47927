package ftp_test

import (
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
