package identity_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"trivium/identity"
)

// notices collects what people are told.
type notices struct{ list []identity.Notice }

func (n *notices) Notify(_ context.Context, x identity.Notice) error {
	n.list = append(n.list, x)
	return nil
}

// take returns what was told since the last time, in words.
func (n *notices) take() []string {
	var out []string
	for _, x := range n.list {
		out = append(out, fmt.Sprint(x.Kind, " ", x.Login, " ", x.Protocol, " ", x.Client, " ", x.Remote))
	}
	n.list = nil
	return out
}

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	chrome  = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36"
)

func TestClientName(t *testing.T) {
	t.Parallel()
	for ua, want := range map[string]string{firefox: "Firefox on Linux", chrome: "Chrome on Windows", "lftp/4.9.2": "lftp/4.9.2", "": ""} {
		if got := identity.ClientName(ua); got != want {
			t.Errorf("%q: %q, want %q", ua, got, want)
		}
	}
}

// from logs in from an address with a client, and lets what that leaves to do be done.
func (h *house) from(p identity.Protocol, remote, agent string, l identity.Login) *identity.Session {
	h.t.Helper()
	ses, err := h.Registry.Open(h.t.Context(), identity.Opening{Protocol: p, Remote: netip.AddrPortFrom(netip.MustParseAddr(remote), 4000), UserAgent: agent, TLS: "TLS 1.3"})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.Login(h.t.Context(), ses, l); err != nil {
		h.t.Fatal(err)
	}
	ses.Close()
	h.FlushBehind(h.t.Context())
	return ses
}

func TestNewDevices(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	told := &notices{}
	h.AddNotifier(told)
	alice := h.person("alice", nil)
	phone := h.tokens.add(alice, identity.Grant{TokenID: "phone", Roads: []identity.Road{identity.RoadXMPP, identity.RoadFTP}})
	password := identity.Login{Method: identity.MethodForm, Name: "alice", Secret: identity.NewSecret(testPassword)}
	token := identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret(phone)}
	for _, step := range []struct {
		what     string
		after    time.Duration
		protocol identity.Protocol
		remote   string
		agent    string
		login    identity.Login
		want     []string
	}{
		{"the first of an account", 0, identity.ProtocolWeb, "192.0.2.1", firefox, password, nil},
		{"the same", time.Minute, identity.ProtocolWeb, "192.0.2.1", firefox, password, nil},
		{"a neighbour", time.Minute, identity.ProtocolWeb, "192.0.99.1", firefox, password, nil},
		{"from afar", time.Minute, identity.ProtocolWeb, "198.51.100.7", firefox, password, []string{"device alice web Firefox on Linux 198.51.100.7"}},
		{"from there again", time.Minute, identity.ProtocolWeb, "198.51.100.7", firefox, password, nil},
		{"another browser", time.Minute, identity.ProtocolWeb, "192.0.2.1", chrome, password, []string{"device alice web Chrome on Windows 192.0.2.1"}},
		{"another road", time.Minute, identity.ProtocolFTP, "192.0.2.1", "", password, []string{"device alice ftp  192.0.2.1"}},
		{"an app password, for the first time", time.Minute, identity.ProtocolXMPP, "203.0.113.4", "Conversations 2.1", token, nil},
		{"its client moves, and is updated", time.Minute, identity.ProtocolXMPP, "2001:db8::1", "Conversations 2.2", token, nil},
		{"another client has it", time.Minute, identity.ProtocolFTP, "203.0.113.4", "lftp/4.9", token, []string{"device alice ftp lftp/4.9 203.0.113.4"}},
		{"after a long time", 91 * 24 * time.Hour, identity.ProtocolWeb, "192.0.2.1", firefox, password, []string{"device alice web Firefox on Linux 192.0.2.1"}},
	} {
		h.clock.pass(step.after)
		h.from(step.protocol, step.remote, step.agent, step.login)
		if got := told.take(); !slices.Equal(got, step.want) {
			t.Errorf("%s: told %q, want %q", step.what, got, step.want)
		}
	}
	for i := range 20 {
		h.from(identity.ProtocolWeb, fmt.Sprintf("10.%d.0.1", i), firefox, password)
	}
	if got := told.take(); len(got) != 4 { // one was told within this hour already
		t.Errorf("%d notices within an hour", len(got))
	}
	list, err := h.Devices(t.Context(), alice.ID)
	if err != nil || len(list) < 20 {
		t.Errorf("%d devices, %v", len(list), err)
	}
	events, err := h.Audit(t.Context(), identity.AuditFilter{Event: identity.EventDeviceNew})
	if err != nil || len(events) != 25 || events[0].Subject != "alice" {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// TestDevicesBound: what is kept of one account is bounded, however many there are.
func TestDevicesBound(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	alice := h.person("alice", nil)
	for i := range 110 {
		h.clock.pass(time.Second)
		h.from(identity.ProtocolWeb, fmt.Sprintf("10.%d.0.1", i), firefox, identity.Login{Method: identity.MethodForm, Name: "alice", Secret: identity.NewSecret(testPassword)})
	}
	list, err := h.Devices(t.Context(), alice.ID)
	if err != nil || len(list) != 100 {
		t.Errorf("%d devices, %v", len(list), err)
	}
	if err := h.RemoveUser(t.Context(), owner, "alice"); err != nil {
		t.Fatal(err)
	}
	if list, err := h.Devices(t.Context(), alice.ID); err != nil || len(list) != 0 {
		t.Errorf("%d devices of a removed account, %v", len(list), err)
	}
}

func TestKnownDevice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	h.from(identity.ProtocolWeb, "192.0.2.1", firefox, identity.Login{Method: identity.MethodForm, Name: "alice", Secret: identity.NewSecret(testPassword)})
	for _, tt := range []struct {
		what, name, remote, agent string
		protocol                  identity.Protocol
		want                      bool
	}{
		{"the person", "alice", "192.0.2.9", firefox, identity.ProtocolWeb, true},
		{"nobody", "bob", "192.0.2.1", firefox, identity.ProtocolWeb, false},
		{"another browser", "alice", "192.0.2.1", chrome, identity.ProtocolWeb, false},
		{"another road", "alice", "192.0.2.1", firefox, identity.ProtocolXMPP, false},
		{"only near by", "alice", "192.0.3.1", firefox, identity.ProtocolWeb, false},
	} {
		ses, err := h.Registry.Open(t.Context(), identity.Opening{Protocol: tt.protocol, Remote: netip.AddrPortFrom(netip.MustParseAddr(tt.remote), 1), UserAgent: tt.agent})
		if err != nil {
			t.Fatal(err)
		}
		if got := h.KnownDevice(t.Context(), ses, "example.org", identity.UserName(tt.name)); got != tt.want {
			t.Errorf("%s: %v", tt.what, got)
		}
		ses.Close()
	}
}
