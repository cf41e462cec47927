package identity_test

import (
	"net/netip"
	"testing"

	"trivium/identity"
)

func TestExplainClass(t *testing.T) {
	t.Parallel()
	p := netip.MustParsePrefix
	h := newHouse(t, func(o *identity.Options) {
		o.Classes = []identity.Class{
			{Name: "lab", From: []netip.Prefix{p("192.0.2.0/28")}},
			{Name: "lan", From: []netip.Prefix{p("192.0.2.0/24"), p("2001:db8::/32")}},
			{Name: "guests", Any: []string{"far"}},
			{Name: "far", From: []netip.Prefix{p("198.51.100.0/24")}},
			{Name: "both", All: []string{"wide", "wider"}},
			{Name: "wide", From: []netip.Prefix{p("203.0.113.0/28")}},
			{Name: "wider", From: []netip.Prefix{p("203.0.113.0/24")}},
			{Name: "rest", Not: true, From: []netip.Prefix{p("10.0.0.0/8")}},
		}
	})
	for addr, want := range map[string]identity.ClassReason{
		"192.0.2.7":        {Class: "lab", By: "network", Match: "192.0.2.0/28"},
		"::ffff:192.0.2.7": {Class: "lab", By: "network", Match: "192.0.2.0/28"},
		"192.0.2.200":      {Class: "lan", By: "network", Match: "192.0.2.0/24"},
		"2001:db8::1":      {Class: "lan", By: "network", Match: "2001:db8::/32"},
		"198.51.100.4":     {Class: "guests", By: "class", Match: "far"},
		"203.0.113.9":      {Class: "both", By: "classes", Match: "wide, wider"},
		"203.0.113.99":     {Class: "wider", By: "network", Match: "203.0.113.0/24"},
		"8.8.8.8":          {Class: "rest", By: "none"},
	} {
		if got, ok := h.Registry.ExplainClass(t.Context(), netip.MustParseAddr(addr)); !ok || got != want {
			t.Errorf("%s: %+v, %v, want %+v", addr, got, ok, want)
		}
	}
	if got, ok := h.Registry.ExplainClass(t.Context(), netip.MustParseAddr("10.1.2.3")); ok {
		t.Errorf("an address of no class is in %+v", got)
	}
}
