package xmpp_test

import (
	"strings"
	"testing"

	"trivium/identity"
)

// RFC 6120 section 6.5.10 for a log-in, section 4.9.3.22 for a stream that is there.
func TestMaintenance(t *testing.T) {
	s := start(t, options{})
	there := s.login("alice", "a")
	set := func(c identity.MaintenanceChange) {
		t.Helper()
		_, _, err := s.Identity.SetMaintenance(t.Context(), identity.Actor{Level: identity.LevelRoot, Via: "cli"}, c)
		must(t, err)
	}
	set(identity.MaintenanceChange{On: true, Message: "New <disks>"})
	p := s.dialTLS()
	p.open()
	p.send(authPlain("alice", password))
	if got := p.expect("</failure>"); !strings.Contains(got, "<temporary-auth-failure/>") || !strings.Contains(got, "New &lt;disks&gt;") {
		t.Errorf("%s", got)
	}
	p.ends("system-shutdown")
	set(identity.MaintenanceChange{On: true, Message: "New <disks>", End: true})
	if got := there.ends("system-shutdown"); !strings.Contains(got, "New &lt;disks&gt;") {
		t.Errorf("%s", got)
	}
}
