package factor

import (
	"net/url"
	"testing"
	"time"

	"trivium/identity"
)

// rfcSecret is the key of RFC 6238 appendix B in base32.
const rfcSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// The codes are the last six digits of those there.
func TestCodesOfTheRFC(t *testing.T) {
	t.Parallel()
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471",
		1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		step, ok := TOTP{}.Step(identity.NewSecret(rfcSecret), code, time.Unix(at, 0))
		if !ok || step != at/30 {
			t.Errorf("at %d: step %d, %v", at, step, ok)
		}
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	secret, at := identity.NewSecret(rfcSecret), time.Unix(1111111109, 0) // step 37037036
	for off, want := range map[time.Duration]bool{-60 * time.Second: false, -30 * time.Second: true, 0: true, 30 * time.Second: true, 61 * time.Second: false} {
		if step, ok := (TOTP{}).Step(secret, "081804", at.Add(off)); ok != want || ok && step != 37037036 {
			t.Errorf("a clock that is %v off: step %d, %v", off, step, ok)
		}
	}
	for _, code := range []string{"", "0", "081805", "0818040", "ABCDEF"} {
		if _, ok := (TOTP{}).Step(secret, code, at); ok {
			t.Errorf("%q is right", code)
		}
	}
	if _, ok := (TOTP{}).Step(identity.NewSecret("not base32!"), "081804", at); ok {
		t.Error("a code for what is no key")
	}
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	a, err := TOTP{}.NewKey("Site & Co: x", "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	b, err := TOTP{}.NewKey("Site", "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Secret.Reveal()) != 32 || a.Secret.Reveal() == b.Secret.Reveal() {
		t.Errorf("keys %q and %q", a.Secret.Reveal(), b.Secret.Reveal())
	}
	u, err := url.Parse(a.URI.Reveal())
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("secret") != a.Secret.Reveal() || u.Query().Get("issuer") != "Site & Co: x" {
		t.Errorf("%q: %v", a.URI.Reveal(), err)
	}
}
