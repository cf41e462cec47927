package identity_test

import (
	"errors"
	"net/netip"
	"testing"

	"trivium/identity"
)

func TestExplainNarrowed(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Classes = []identity.Class{{Name: "wan", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, MaxLevel: identity.LevelUser}}
		o.Policy = map[string]string{
			"ftp:STOR:/pub/**":               "staff",
			"ftp:STOR:/pub/** for user:bob":  "user",
			"ftp:STOR for class:wan":         "never",
			"file:/pub/x for user:anonymous": "never",
			"login:ftp for group:ants":       "staff",
		}
	})
	h.person("alice", func(u *identity.User) { u.Level = identity.LevelStaff })
	bob := h.person("bob", nil)
	for _, tt := range []struct {
		resource identity.Resource
		by       identity.Asker
		allowed  bool
		pattern  string
		client   string
	}{
		{"ftp:STOR:/pub/x", identity.Asker{User: "bob"}, true, "ftp:STOR:/pub/** for user:bob", ""},
		{"ftp:STOR:/pub/x", identity.Asker{User: "alice"}, true, "ftp:STOR:/pub/**", ""},
		{"ftp:STOR:/pub/x", identity.Asker{Level: identity.LevelUser}, false, "ftp:STOR:/pub/**", "550"},
		{"ftp:STOR:/pub/x", identity.Asker{User: "bob", Class: "wan"}, false, "ftp:STOR for class:wan", "502"},
		{"ftp:STOR", identity.Asker{User: "bob", Class: "wan"}, false, "ftp:STOR for class:wan", "502"},
		{"file:/pub/x", identity.Asker{Level: identity.LevelAnonymous}, false, "file:/pub/x for user:anonymous", "404, 550"},
		{"web:/admin/x", identity.Asker{User: "alice"}, true, "web:/admin/**", ""},
		{"web:/admin/x", identity.Asker{User: "alice", Class: "wan"}, false, "web:/admin/**", "404"}, // its cap
	} {
		d, err := h.Explain(t.Context(), tt.resource, tt.by)
		if err != nil || d.Allowed != tt.allowed || d.Pattern != tt.pattern || d.Client != tt.client {
			t.Errorf("%s for %+v: %+v, %v", tt.resource, tt.by, d, err)
		}
	}
	if _, err := h.Explain(t.Context(), "ftp:STOR", identity.Asker{Class: "moon"}); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("an unknown class: %v", err)
	}

	// A rule on the log-in counts for who it is narrowed to, and for the session that lives.
	ses, hold := h.in(identity.ProtocolFTP, "bob", testPassword)
	_, err := h.AddGroup(t.Context(), owner, "ants", 0)
	if err == nil {
		err = h.AddMembers(t.Context(), owner, "ants", []string{"bob"}, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	if why := hold.reasons(); len(why) != 1 || why[0].Code != identity.ReasonPolicy {
		t.Errorf("the session of who may no longer log in: %+v, %v", why, ses.Level())
	}
	again, _ := h.open(identity.ProtocolFTP, home)
	if _, err := h.login(again, "bob", testPassword); !errors.Is(err, identity.ErrRoadClosed) {
		t.Errorf("logging %s in: %v", bob.Login, err)
	}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Policy = map[string]string{
			"ftp:WRITE:/a/b/**":                    "never",
			"ftp:WRITE:/a/b/** for user:bob":       "user",
			"ftp:RNFR:/x/*/z":                      "staff",
			"ftp:STOR:/only/stor/**":               "never",
			"ftp:WRITE:/c/d for user:alice":        "never",
			"ftp:WRITE:/whole/**":                  "user",
			"ftp:WRITE:/whole/part/x for user:bob": "admin",
		}
	})
	h.person("alice", nil)
	h.person("bob", nil)
	alice, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	bob, _ := h.in(identity.ProtocolFTP, "bob", testPassword)
	for _, tt := range []struct {
		folder     string
		alice, bob bool
	}{
		{"/", true, true}, // /x/*/z is below
		{"/a", true, false},
		{"/a/b", false, false}, // asked for itself
		{"/x", true, true},
		{"/x/y", true, true},
		{"/x/y/z", false, false},
		{"/only", false, false},
		{"/c", true, false},
		{"/whole", false, true},
		{"/whole/other", false, false},
	} {
		if got := h.Guards(alice, "RNFR", tt.folder); got != tt.alice {
			t.Errorf("alice moves %s: guarded %v", tt.folder, got)
		}
		if got := h.Guards(bob, "RNFR", tt.folder); got != tt.bob {
			t.Errorf("bob moves %s: guarded %v", tt.folder, got)
		}
	}
}
