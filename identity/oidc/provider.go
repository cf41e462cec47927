package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"trivium/identity"
)

// Bounds.
const (
	AttemptLife    = 10 * time.Minute // from the button to the answer
	skew           = time.Minute      // that clocks may differ by
	defaultTimeout = 10 * time.Second
	maxClaim       = 1024 // bytes of one text
	maxGroups      = 1000
	retryAfter     = 5 * time.Second // after metadata that could not be read
	maxBody        = 1 << 20         // bytes of one answer of the provider
)

// Options is what New needs.
type Options struct {
	Name         string // identity.Provider.Name
	Label        string // on the button; "": Name
	Issuer       string
	ClientID     string
	ClientSecret identity.Secret // zero: a public client
	Scopes       []string
	LoginClaim   string // "": preferred_username
	GroupsClaim  string // "": no groups
	TLS          *tls.Config
	Timeout      time.Duration    // of one question; 0: 10 s
	Now          func() time.Time // nil: time.Now
}

// Provider is one provider. Its methods are safe for any goroutine.
type Provider struct {
	o      Options
	client *http.Client
	seen   *seen

	mu    sync.Mutex // guards what follows
	ready *metadata
	retry time.Time
	fault error
}

// metadata is what the provider says of itself.
type metadata struct {
	provider *oidc.Provider
	endpoint oauth2.Endpoint
	iss      bool // it names itself in each answer (RFC 9207)
}

// New prepares a provider; nothing is asked yet.
func New(o Options) *Provider {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Label == "" {
		o.Label = o.Name
	}
	if o.LoginClaim == "" {
		o.LoginClaim = "preferred_username"
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{oidc.ScopeOpenID}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig, t.MaxResponseHeaderBytes = o.TLS, 64<<10
	return &Provider{o: o, seen: newSeen(o.Now), client: &http.Client{Transport: bounded{t}, Timeout: o.Timeout,
		// What is asked holds secrets, and where it goes the metadata has said.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// bounded cuts answers that are too long.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxBody)
	}
	return res, err
}

// Close ends the connections that are kept.
func (p *Provider) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Name is what addresses and links call it.
func (p *Provider) Name() string { return p.o.Name }

// Label is what its button says.
func (p *Provider) Label() string { return p.o.Label }

// Issuer is its address.
func (p *Provider) Issuer() string { return p.o.Issuer }

// discover reads the metadata, once; after a failure not again for a moment.
func (p *Provider) discover() (*metadata, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready != nil {
		return p.ready, nil
	}
	if p.o.Now().Before(p.retry) {
		return nil, p.fault
	}
	// The context outlives this question: go-oidc reads keys with it.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.client), p.o.Issuer)
	if err == nil {
		p.ready, err = p.read(provider)
	}
	if err != nil {
		p.retry = p.o.Now().Add(retryAfter)
		p.fault = fmt.Errorf("%w: the provider %s cannot be reached: %w", identity.ErrUnavailable, p.o.Name, err)
		return nil, p.fault
	}
	return p.ready, nil
}

func (p *Provider) read(provider *oidc.Provider) (*metadata, error) {
	var claims struct {
		PKCE []string `json:"code_challenge_methods_supported"`
		ISS  bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&claims); err != nil {
		return nil, fmt.Errorf("reading its metadata: %w", err)
	}
	// One that lists methods without S256 would ignore the challenge.
	if len(claims.PKCE) > 0 && !slices.Contains(claims.PKCE, "S256") {
		return nil, errors.New("it does not know PKCE with S256")
	}
	m := &metadata{provider: provider, endpoint: provider.Endpoint(), iss: claims.ISS}
	for _, at := range []string{m.endpoint.AuthURL, m.endpoint.TokenURL} {
		u, err := url.Parse(at)
		if err != nil || u.Host == "" || u.Scheme != "https" && !strings.HasPrefix(p.o.Issuer, "http://") {
			return nil, errors.New("its endpoints are not https")
		}
	}
	if p.o.ClientSecret.IsZero() {
		m.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return m, nil
}

// Probe reports whether the provider can be reached.
func (p *Provider) Probe() error {
	_, err := p.discover()
	return err
}

func (p *Provider) config(m *metadata, redirect string) *oauth2.Config {
	return &oauth2.Config{ClientID: p.o.ClientID, ClientSecret: p.o.ClientSecret.Reveal(), Endpoint: m.endpoint, RedirectURL: redirect, Scopes: p.o.Scopes}
}

// Attempt is a log-in on its way. The caller keeps it in the browser's session.
type Attempt struct {
	Provider string    `json:"p"`
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Began    time.Time `json:"t"`
}

// Begin starts an attempt, and returns the address that the browser is sent to.
func (p *Provider) Begin(redirect string) (Attempt, string, error) {
	m, err := p.discover()
	if err != nil {
		return Attempt{}, "", err
	}
	a := Attempt{Provider: p.o.Name, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Began: p.o.Now().UTC().Truncate(time.Second)}
	return a, p.config(m, redirect).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// errAnswer is an answer that is none to the attempt; it says nothing to the person that they could
// act on but to begin again.
func errAnswer(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), identity.ErrCredentials)
}

// DeniedError is the provider's own no (RFC 6749 section 4.1.2.1).
type DeniedError struct{ Code, Text string }

// Error is what the provider has said, cleaned.
func (e *DeniedError) Error() string {
	if e.Text != "" {
		return e.Text
	}
	return e.Code
}

// Unwrap makes it ErrRefused.
func (e *DeniedError) Unwrap() error { return identity.ErrRefused }

// clean is a text of the provider's that a page may show.
func clean(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// Finish takes the provider's answer to an attempt, which must not be used again, and returns whom the
// provider vouches for. The error wraps identity.ErrCredentials where the answer is not to be trusted,
// identity.ErrRefused where the provider says no, identity.ErrUnavailable where it cannot be reached.
func (p *Provider) Finish(ctx context.Context, a Attempt, redirect string, q url.Values) (identity.Foreign, error) {
	var none identity.Foreign
	if age := p.o.Now().Sub(a.Began); a.Provider != p.o.Name || age > AttemptLife || age < -skew {
		return none, errAnswer("the attempt is another provider's, or too old")
	}
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.State)) != 1 || a.State == "" {
		return none, errAnswer("the state is another one")
	}
	m, err := p.discover()
	if err != nil {
		return none, err
	}
	switch iss, there := q.Get("iss"), q.Has("iss"); {
	case there && iss != p.o.Issuer:
		return none, errAnswer("the answer is from the issuer %q", clean(iss))
	case !there && m.iss:
		return none, errAnswer("the answer does not say its issuer, which this provider does")
	}
	if code := q.Get("error"); code != "" {
		return none, &DeniedError{clean(code), clean(q.Get("error_description"))}
	}
	for _, name := range []string{"code", "state", "iss"} {
		if len(q[name]) > 1 {
			return none, errAnswer("the answer has %s twice", name)
		}
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), 2*p.o.Timeout)
	defer cancel()
	token, err := p.config(m, redirect).Exchange(ctx, q.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		var no *oauth2.RetrieveError
		if errors.As(err, &no) {
			return none, errAnswer("the provider does not take the code: %s", clean(no.ErrorCode))
		}
		return none, fmt.Errorf("%w: asking the provider %s: %w", identity.ErrUnavailable, p.o.Name, err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return none, errAnswer("there is no ID token")
	}
	id, c, err := p.verify(ctx, m, raw, a.Nonce)
	if err != nil {
		return none, err
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return none, errAnswer("at_hash: %v", err)
		}
	}
	if p.wants(c) && m.provider.UserInfoEndpoint() != "" {
		info, err := m.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return none, fmt.Errorf("%w: asking the provider %s who that is: %w", identity.ErrUnavailable, p.o.Name, err)
		}
		if info.Subject != id.Subject { // Core section 5.3.2
			return none, errAnswer("userinfo is about somebody else")
		}
		more := claims{}
		if err := info.Claims(&more); err != nil {
			return none, errAnswer("userinfo: %v", err)
		}
		for name, value := range more {
			if _, there := c[name]; !there {
				c[name] = value
			}
		}
	}
	return p.foreign(id, c), nil
}

// algorithms are those of public keys; neither none nor one with a shared secret is among them.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA} //nolint:gochecknoglobals // a list

// verify checks an ID token (Core section 3.1.3.7).
func (p *Provider) verify(ctx context.Context, m *metadata, raw, nonce string) (*oidc.IDToken, claims, error) {
	id, err := p.verifier(m).Verify(ctx, raw)
	if err != nil {
		return nil, nil, errAnswer("the ID token: %v", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 || nonce == "" {
		return nil, nil, errAnswer("the nonce is another one")
	}
	if now := p.o.Now(); id.IssuedAt.IsZero() || id.IssuedAt.After(now.Add(skew)) {
		return nil, nil, errAnswer("the ID token is from the future")
	}
	c := claims{}
	if err := id.Claims(&c); err != nil {
		return nil, nil, errAnswer("the ID token: %v", err)
	}
	switch azp := c.text("azp"); {
	case azp != "" && azp != p.o.ClientID, azp == "" && len(id.Audience) > 1:
		return nil, nil, errAnswer("the ID token is for another client")
	}
	return id, c, nil
}

func (p *Provider) verifier(m *metadata) *oidc.IDTokenVerifier {
	return m.provider.Verifier(&oidc.Config{ClientID: p.o.ClientID, SupportedSigningAlgs: algorithms,
		Now: func() time.Time { return p.o.Now().Add(-skew) }})
}

// claims are what a provider says of somebody.
type claims map[string]any

func (c claims) text(name string) string {
	text, _ := c[name].(string)
	if len(text) > maxClaim {
		return ""
	}
	return text
}

// wants reports whether what is needed does not stand in the ID token.
func (p *Provider) wants(c claims) bool {
	for _, name := range []string{p.o.LoginClaim, p.o.GroupsClaim, "email"} {
		if _, there := c[name]; name != "" && !there {
			return true
		}
	}
	return false
}

// foreign is whom the claims mean.
func (p *Provider) foreign(id *oidc.IDToken, c claims) identity.Foreign {
	f := identity.Foreign{Provider: p.o.Name, Issuer: id.Issuer, SID: c.text("sid"), Person: identity.Person{
		Subject: id.Subject, Login: c.text(p.o.LoginClaim), Email: c.text("email"), Name: c.text("name"), Phone: c.text("phone_number")}}
	switch verified := c["email_verified"].(type) {
	case bool:
		f.EmailVerified = verified
	case string: // some providers write it so
		f.EmailVerified = verified == "true"
	}
	if !f.EmailVerified {
		f.Person.Email = "" // it may be anybody's
	}
	if p.o.GroupsClaim == "" {
		return f
	}
	list, _ := c[p.o.GroupsClaim].([]any)
	for _, g := range list[:min(len(list), maxGroups)] {
		if name, ok := g.(string); ok && len(name) <= maxClaim {
			f.Person.Groups = append(f.Person.Groups, name)
		}
	}
	return f
}
