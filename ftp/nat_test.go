package ftp

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"trivium/config"
)

// names answers like a DNS; an absent name is an error.
type names map[string]string

var errNoDNS = errors.New("no answer")

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n["asked"] += "."
	a, ok := n[host]
	if !ok {
		return nil, errNoDNS
	}
	return []netip.Addr{netip.MustParseAddr(a)}, nil
}

func TestAnnounced(t *testing.T) {
	dns := names{"ftp.example.org": "192.0.2.77"}
	a := newAnnouncer(config.FTP{PublicAddress: "192.0.2.10",
		PublicAddresses: []string{"10.0.0.0/8=auto", "198.51.100.0/24=ftp.example.org", "203.0.113.0/24=2001:db8::1"}}, dns)
	local := netip.MustParseAddr("172.16.0.1")
	for _, tt := range []struct{ name, client, want string }{
		{"inside", "10.1.2.3", "172.16.0.1"},
		{"outside", "8.8.8.8", "192.0.2.10"},
		{"by name", "198.51.100.7", "192.0.2.77"},
		{"IPv6, which PASV cannot say", "203.0.113.9", "172.16.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := a.to(t.Context(), netip.MustParseAddr(tt.client), local)
			if err != nil || got.String() != tt.want {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestAnnouncedNames(t *testing.T) {
	dns := names{"ftp.example.org": "192.0.2.77"}
	a := newAnnouncer(config.FTP{PublicAddress: "ftp.example.org"}, dns)
	now := time.Now()
	a.now = func() time.Time { return now }
	client, local := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("172.16.0.1")
	ask := func(want, asked string) {
		t.Helper()
		got, err := a.to(t.Context(), client, local)
		if err != nil || got.String() != want || dns["asked"] != asked {
			t.Errorf("%v, %v after %q", got, err, dns["asked"])
		}
	}
	ask("192.0.2.77", ".")
	dns["ftp.example.org"] = "192.0.2.78"
	ask("192.0.2.77", ".") // not asked again
	now = now.Add(lookupLife)
	ask("192.0.2.78", "..")
	delete(dns, "ftp.example.org")
	now = now.Add(lookupLife)
	ask("192.0.2.78", "...") // the last answer counts on
	now = now.Add(lookupPause / 2)
	ask("192.0.2.78", "...")
	fresh := newAnnouncer(config.FTP{PublicAddress: "ftp.example.org"}, names{})
	if got, err := fresh.to(t.Context(), client, local); !errors.Is(err, errNoDNS) {
		t.Errorf("%v, %v", got, err)
	}
}
