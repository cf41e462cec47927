package identity_test

import (
	"net/netip"
	"testing"

	"trivium/identity"
)

// heir is a holder of a session by a token: when that ends, another session takes the token over, as
// one does that is resumed at that moment.
type heir struct {
	holder
	then func()
}

func (h *heir) SessionEnded(r identity.Reason) {
	h.holder.SessionEnded(r)
	h.then()
}

// No session has a token when TokensChanged returns, also none that took it over meanwhile.
func TestTokenTakenOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	text := h.tokens.add(u, identity.Grant{Roads: []identity.Road{identity.RoadXMPP}})
	open := func(by identity.Holder) *identity.Session {
		ses, err := h.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolXMPP, Remote: netip.MustParseAddrPort(home), TLS: "TLS 1.3", Holder: by})
		if err != nil {
			t.Fatal(err)
		}
		return ses
	}
	login := func(ses *identity.Session, secret string) {
		if _, err := h.login(ses, "alice", secret); err != nil {
			t.Fatal(err)
		}
	}
	old := open(&holder{})
	login(old, testPassword)
	first := open(&heir{then: func() {
		next := open(&holder{})
		login(next, text)
		if err := h.Registry.Resume(old, next); err != nil {
			t.Error(err)
		}
		next.Close()
	}})
	login(first, text)
	c, _ := first.Credentials()
	h.TokensChanged(t.Context(), c.Grant.TokenID)
	if code(old) != identity.ReasonRevoked {
		t.Errorf("the session that took the token over: %q", code(old))
	}
}
