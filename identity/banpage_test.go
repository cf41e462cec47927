package identity_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

func TestBanPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	admin := identity.Actor{User: "admin1", Level: identity.LevelAdmin, Via: "web", Remote: "198.51.100.1"}
	for _, b := range []identity.NewBan{
		{Prefix: "192.0.2.9", For: time.Hour, Reason: "Scans ports"}, {Prefix: "192.0.2.10", For: 3 * time.Hour, Reason: "guesses"}, {Prefix: "2001:db8::/48", For: 2 * time.Hour, Reason: "a whole site"},
	} {
		if _, err := h.AddBan(t.Context(), admin, b); err != nil {
			t.Fatal(err)
		}
		h.clock.pass(time.Minute)
	}
	for _, tt := range []struct {
		name, text, kind, sort string
		offset, limit, total   int
		want                   string
	}{
		{"the newest first", "", "", "", 0, 0, 3, "2001:db8::/48 192.0.2.10/32 192.0.2.9/32"},
		{"the end", "", "", "until", 0, 0, 3, "192.0.2.9/32 2001:db8::/48 192.0.2.10/32"},
		{"addresses as numbers", "", "", "prefix", 0, 0, 3, "192.0.2.9/32 192.0.2.10/32 2001:db8::/48"},
		{"the other way round", "", "", "-prefix", 0, 0, 3, "2001:db8::/48 192.0.2.10/32 192.0.2.9/32"},
		{"reason in any case", "scans", "", "", 0, 0, 1, "192.0.2.9/32"},
		{"who", "ADMIN1", "", "prefix", 1, 1, 3, "192.0.2.10/32"},
		{"an address within", "2001:db8:0:1::7", "", "", 0, 0, 1, "2001:db8::/48"},
		{"an address without", "2001:db9::7", "", "", 0, 0, 0, ""},
		{"a kind", "", "guessing", "", 0, 0, 0, ""},
		{"past the end", "", "manual", "", 7, 2, 3, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, down, err := identity.ParseBanSort(tt.sort)
			if err != nil {
				t.Fatal(err)
			}
			list, total, err := h.BanPage(t.Context(), identity.BanFilter{Text: tt.text, Kind: identity.BanKind(tt.kind)}, key, down, tt.offset, tt.limit)
			var got []string
			for _, b := range list {
				got = append(got, b.Prefix)
			}
			if err != nil || total != tt.total || strings.Join(got, " ") != tt.want {
				t.Errorf("%v of %d, %v", got, total, err)
			}
		})
	}
	if _, _, err := identity.ParseBanSort("-nosuch"); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("a wrong key: %v", err)
	}
	_, err := h.AddBan(t.Context(), admin, identity.NewBan{Prefix: "198.51.100.0/24"})
	if !errors.Is(err, identity.ErrConfirm) || !errors.Is(err, identity.ErrRefused) {
		t.Errorf("one's own address: %v", err)
	}
}
