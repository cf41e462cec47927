package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"trivium/identity"
)

const (
	idTokenLife = 10 * time.Minute
	maxHint     = 8 << 10 // bytes of an ID token that comes back to us
	skew        = time.Minute
)

// idClaims are those of an ID token (Core 1.0 section 2). What the person is called the application asks
// for at userinfo.
type idClaims struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience string           `json:"aud"`
	Party    string           `json:"azp"`
	Expiry   *jwt.NumericDate `json:"exp"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	AuthTime int64            `json:"auth_time"`
	Nonce    string           `json:"nonce,omitempty"`
	ACR      string           `json:"acr"`
	AMR      []string         `json:"amr,omitempty"`
	SID      string           `json:"sid,omitempty"`
	AtHash   string           `json:"at_hash"`
}

// idToken signs what a grant says of its person. The nonce is in the first one alone (section 12.2).
func (p *Provider) idToken(ctx context.Context, x identity.Issued, first bool) (string, error) {
	now := p.now()
	sum := sha256.Sum256([]byte(x.Access.Reveal()))
	c := idClaims{Issuer: p.issuer, Subject: subject(x.Account), Audience: x.App.ID, Party: x.App.ID, Expiry: jwt.NewNumericDate(now.Add(idTokenLife)),
		IssuedAt: jwt.NewNumericDate(now), AuthTime: x.Grant.AuthAt.Unix(), ACR: acr(x.Grant.Factor), AMR: amr(x.Grant.Method, x.Grant.Factor),
		SID: x.Grant.SID, AtHash: base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])}
	if first {
		c.Nonce = x.Grant.Nonce
	}
	return p.sign(ctx, jose.SignatureAlgorithm(x.App.Algorithm), "JWT", c)
}

// subject never changes and is nobody else's ever: the ID of the account, which says nothing.
func subject(a identity.Account) string { return string(a.ID) }

func acr(f identity.FactorKind) string {
	if f == "" {
		return ACRPassword
	}
	return ACRFactor
}

// amr names how the person has logged in (RFC 8176 section 2).
func amr(m identity.Method, f identity.FactorKind) []string {
	var out []string
	switch m {
	case identity.MethodForm, identity.MethodPassword, identity.MethodPlain:
		out = append(out, "pwd")
	case identity.MethodPasskey:
		out = append(out, "pop")
	}
	switch f {
	case "":
		return out
	case identity.FactorTOTP, identity.FactorRecovery:
		out = append(out, "otp")
	case identity.FactorPasskey:
		if !slices.Contains(out, "pop") {
			out = append(out, "pop")
		}
	case identity.FactorChat:
		out = append(out, "mca")
	}
	return append(out, "mfa")
}

// sign is a JWT by the key that signs now.
func (p *Provider) sign(ctx context.Context, alg jose.SignatureAlgorithm, typ string, claims any) (string, error) {
	k, err := p.keys.signing(ctx, alg)
	if err != nil {
		return "", err
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k.jwk(true)}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return text, nil
}

// Hint is what an ID token of ours says that an application sends back.
type Hint struct{ Subject, Application, SID string }

// ReadHint reads an ID token that this provider has signed, however old it is (RP-Initiated Logout 1.0
// section 2); false for whatever else it may be: by no algorithm, by a shared secret, by somebody else.
func (p *Provider) ReadHint(ctx context.Context, raw string) (Hint, bool) {
	if raw == "" || len(raw) > maxHint {
		return Hint{}, false
	}
	token, err := jwt.ParseSigned(raw, algorithms)
	if err != nil || len(token.Headers) != 1 {
		return Hint{}, false
	}
	h := token.Headers[0]
	if typ, there := h.ExtraHeaders["typ"]; there && typ != "JWT" { // a logout token is no ID token
		return Hint{}, false
	}
	k, ok := p.keys.find(ctx, h.KeyID, h.Algorithm)
	if !ok {
		return Hint{}, false
	}
	var c idClaims
	if token.Claims(k.private.Public(), &c) != nil || c.Issuer != p.issuer || c.Subject == "" || c.Audience == "" {
		return Hint{}, false
	}
	if c.IssuedAt == nil || c.IssuedAt.Time().After(p.now().Add(skew)) {
		return Hint{}, false
	}
	return Hint{c.Subject, c.Audience, c.SID}, true
}
