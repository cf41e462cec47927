package identity_test

import (
	"net/netip"
	"testing"

	"trivium/identity"
)

// TestFileRoadLimits shows that the account's bounds go before the server's, that none means none, and
// that a change counts for a session that lives.
func TestFileRoadLimits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Limits.FileRoad = identity.SessionLimits{UploadRate: 1000, Transfers: 4}
		o.Classes = []identity.Class{{Name: "lan", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, UploadRate: 7, MaxTransfers: 2}}
	})
	h.person("user1", nil)
	ses, _ := h.open(identity.ProtocolFTP, home)
	want := func(when string, l identity.SessionLimits) {
		t.Helper()
		if got := ses.Limits(); got != l {
			t.Errorf("%s: %+v, want %+v", when, got, l)
		}
	}
	want("before the log-in", identity.SessionLimits{UploadRate: 1000, Transfers: 4})
	if c := ses.Class(); c.Name != "lan" || c.UploadRate != 7 || c.MaxTransfers != 2 {
		t.Errorf("class: %+v", c)
	}
	if _, err := h.login(ses, "user1", testPassword); err != nil {
		t.Fatal(err)
	}
	set := func(up, down int64, n int) {
		t.Helper()
		if _, err := h.SetUser(t.Context(), owner, "user1", identity.UserChange{UploadRate: &up, DownloadRate: &down, Transfers: &n}); err != nil {
			t.Fatal(err)
		}
	}
	set(50, 60, 1)
	want("with bounds of its own", identity.SessionLimits{UploadRate: 50, DownloadRate: 60, Transfers: 1})
	set(-1, -1, -1)
	want("without a limit", identity.SessionLimits{})
	set(0, 0, 0)
	want("with the server's", identity.SessionLimits{UploadRate: 1000, Transfers: 4})
	less, fewer := int64(-2), -2
	for name, c := range map[string]identity.UserChange{"upload": {UploadRate: &less}, "download": {DownloadRate: &less}, "transfers": {Transfers: &fewer}} {
		if _, err := h.SetUser(t.Context(), owner, "user1", c); err == nil {
			t.Errorf("%s: -2 was taken", name)
		}
	}
	other, _ := h.open(identity.ProtocolFTP, "198.51.100.7:1")
	if c := other.Class(); c.Name != "" {
		t.Errorf("class of elsewhere: %+v", c)
	}
}
