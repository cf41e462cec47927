package factor

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/identity/factor/factortest"
)

var (
	site = identity.Site{ID: "example.org", Name: "Example", Origins: []string{"https://example.org"}}
	who  = identity.PasskeyOwner{Handle: []byte("abcdefghijklmnopqrstuvwxyz"), Name: "alice@example.org", Display: "Alice"}
)

// enrol makes a passkey.
func enrol(t testing.TB, k *factortest.Key) identity.Passkey {
	t.Helper()
	c, err := Passkeys{}.Offer(site, who, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Passkeys{}.Made(site, who, c.State, k.Create(c.Options))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPasskey(t *testing.T) {
	t.Parallel()
	k := factortest.New(t, "example.org", "https://example.org")
	p := enrol(t, k)
	c, err := Passkeys{}.Ask(site, nil)
	if err != nil {
		t.Fatal(err)
	}
	used, err := Passkeys{}.Used(site, who, p, c.State, k.Get(c.Options))
	if err != nil || used.Counter != 1 || used.Cloned || used.Credential != p.Credential {
		t.Fatalf("found by itself: %+v, %v", used, err)
	}
	if c, err = (Passkeys{}).Ask(site, []string{p.Credential}); err != nil {
		t.Fatal(err)
	}
	k.Leave = true
	if used, err = (Passkeys{}).Used(site, who, used, c.State, k.Get(c.Options)); err != nil || used.Counter != 2 {
		t.Fatalf("from a list: %+v, %v", used, err)
	}
	k.Counter = 0
	again, err := Passkeys{}.Used(site, who, used, c.State, k.Get(c.Options))
	if err != nil || !again.Cloned || again.Counter != 2 {
		t.Errorf("a counter that goes back: %+v, %v", again, err)
	}
	// Those that are shared among devices do not count at all.
	k.Counter, used.Counter = ^uint32(0), 0
	if still, err := (Passkeys{}).Used(site, who, used, c.State, k.Get(c.Options)); err != nil || still.Cloned || still.Counter != 0 {
		t.Errorf("a counter that stays 0: %+v, %v", still, err)
	}
}

// What the browser is asked for.
func TestOptions(t *testing.T) {
	t.Parallel()
	c, err := Passkeys{}.Offer(site, who, []string{"AQID"})
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		PublicKey struct {
			Challenge, Attestation string
			RP                     struct{ ID, Name string }
			AuthenticatorSelection struct{ ResidentKey, UserVerification string }
			ExcludeCredentials     []struct{ ID string }
		}
	}
	if err := json.Unmarshal(c.Options, &o); err != nil {
		t.Fatal(err)
	}
	pk := o.PublicKey
	if pk.Challenge != c.Challenge || len(pk.Challenge) < 43 || pk.RP.ID != "example.org" || pk.AuthenticatorSelection.ResidentKey != "required" ||
		pk.AuthenticatorSelection.UserVerification != "required" || len(pk.ExcludeCredentials) != 1 || pk.ExcludeCredentials[0].ID != "AQID" || pk.Attestation != "none" {
		t.Errorf("create: %s", c.Options)
	}
	if c, err = (Passkeys{}).Ask(site, nil); err != nil {
		t.Fatal(err)
	}
	if text := string(c.Options); !strings.Contains(text, `"userVerification":"required"`) || strings.Contains(text, "allowCredentials") {
		t.Errorf("get: %s", text)
	}
}

func TestMadeRefuses(t *testing.T) {
	t.Parallel()
	for what, lie := range map[string]func(*factortest.Key){
		"another origin":              func(k *factortest.Key) { k.Origin = "https://evil.example" },
		"the site in the clear":       func(k *factortest.Key) { k.Origin = "http://example.org" },
		"another relying party":       func(k *factortest.Key) { k.RP = "evil.example" },
		"no user verification":        func(k *factortest.Key) { k.NoUser = true },
		"the answer of a use":         func(k *factortest.Key) { k.Type = "webauthn.get" },
		"a credential ID of no bytes": func(k *factortest.Key) { k.ID = nil },
	} {
		k := factortest.New(t, "example.org", "https://example.org")
		lie(k)
		c, err := Passkeys{}.Offer(site, who, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (Passkeys{}).Made(site, who, c.State, k.Create(c.Options)); !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Whatever a browser sends, the answer is an error of ours or a passkey.
func FuzzAnswers(f *testing.F) {
	k := factortest.New(f, "example.org", "https://example.org")
	p := enrol(f, k)
	ask, err := Passkeys{}.Ask(site, nil)
	if err != nil {
		f.Fatal(err)
	}
	offer, err := Passkeys{}.Offer(site, who, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Get(ask.Options))
	f.Add(k.Create(offer.Options))
	f.Add([]byte("{}"))
	f.Add([]byte(`{"rawId":"AQID","response":{"clientDataJSON":"e30"}}`))
	f.Add([]byte(`{"id":"AQID","rawId":"AQID","type":"public-key","response":{"clientDataJSON":"bnVsbA","authenticatorData":"AAAA","signature":"","userHandle":""}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, err := (Passkeys{}).Read(answer); err != nil && !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("Read: %v", err)
		}
		if _, err := (Passkeys{}).Used(site, who, p, ask.State, answer); err != nil && !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("Used: %v", err)
		}
		if _, err := (Passkeys{}).Made(site, who, offer.State, answer); err != nil && !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("Made: %v", err)
		}
	})
}
