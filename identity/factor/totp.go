package factor

import (
	"crypto/subtle"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"trivium/identity"
)

// period is the length of a time step (RFC 6238 section 4.1).
const period = 30 * time.Second

// drift is how many steps a phone's clock may be off (RFC 6238 section 5.2: at most one).
const drift = 1

// TOTP is identity's one-time codes.
type TOTP struct{}

var _ identity.TOTP = TOTP{}

// NewKey implements identity.TOTP: 160 random bits, as RFC 4226 section 4 recommends.
func (TOTP) NewKey(issuer, account string) (identity.TOTPKey, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, SecretSize: 20})
	if err != nil {
		return identity.TOTPKey{}, fmt.Errorf("making a key for an authenticator app: %w", err)
	}
	return identity.TOTPKey{Secret: identity.NewSecret(key.Secret()), URI: identity.NewSecret(uri(issuer, account, key.Secret()))}, nil
}

// uri is what apps read. The library's own leaves an & in the issuer as it is; and apps show a plus
// sign where a query has one for a space. A colon parts issuer and account in the label.
func uri(issuer, account, secret string) string {
	name := url.PathEscape(strings.ReplaceAll(issuer, ":", " "))
	query := strings.ReplaceAll(url.QueryEscape(issuer), "+", "%20")
	return "otpauth://totp/" + name + ":" + url.PathEscape(account) + "?secret=" + secret + "&issuer=" + query
}

// Step implements identity.TOTP. It looks at all steps, whichever is right.
func (TOTP) Step(secret identity.Secret, code string, at time.Time) (step int64, ok bool) {
	now := at.Unix() / int64(period/time.Second)
	for i := now - drift; i <= now+drift; i++ {
		if i < 0 {
			continue
		}
		want, err := hotp.GenerateCodeCustom(secret.Reveal(), uint64(i), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}) //nolint:gosec // not below 0
		if err != nil {
			return 0, false
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = i, true
		}
	}
	return step, ok
}
