// Package oidctest runs a real provider of OpenID Connect for tests, with ways to play an evil one.
package oidctest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The client that a provider knows.
const (
	ClientID = "trivium"
	Secret   = "client secret"
	Password = "there"
)

// Person is somebody at the provider; all have the same Password.
type Person struct {
	ID, Login, Email string
	Unverified       bool
}

// Provider is a running provider.
type Provider struct {
	Issuer string
	t      testing.TB
	store  *storage.Storage

	mu     sync.Mutex // guards what follows
	tamper func(path string, body []byte) []byte
	people map[string]*storage.User
}

// New starts a provider for a client that answers are sent to at redirect.
func New(t testing.TB, redirect string, people ...Person) *Provider {
	t.Helper()
	p := &Provider{t: t, people: map[string]*storage.User{}}
	for _, x := range people {
		p.people[x.ID] = &storage.User{ID: x.ID, Username: x.Login, Password: Password, FirstName: "First", LastName: x.Login, Email: x.Email, EmailVerified: !x.Unverified}
	}
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(handler, w, r) }))
	t.Cleanup(srv.Close)
	p.Issuer = srv.URL
	p.store = storage.NewStorageWithClients(users{p}, map[string]*storage.Client{ClientID: storage.WebClient(ClientID, Secret, redirect)})
	key := sha256.Sum256([]byte("test"))
	x, err := op.NewOpenIDProvider(p.Issuer, &op.Config{CryptoKey: key, CodeMethodS256: true, AuthMethodPost: true}, p.store,
		op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	handler = x
	return p
}

// users is the provider's own list of people.
type users struct{ p *Provider }

func (u users) GetUserByID(id string) *storage.User { return u.p.people[id] }
func (u users) GetUserByUsername(name string) *storage.User {
	for _, x := range u.p.people {
		if x.Username == name {
			return x
		}
	}
	return nil
}
func (u users) ExampleClientID() string { return "service" }

// Tamper lets fn change the bodies of answers; nil leaves them alone.
func (p *Provider) Tamper(fn func(path string, body []byte) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tamper = fn
}

func (p *Provider) serve(h http.Handler, w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	fn := p.tamper
	p.mu.Unlock()
	if fn == nil {
		h.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	for k, v := range rec.Header() {
		if k != "Content-Length" {
			w.Header()[k] = v
		}
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(fn(r.URL.Path, rec.Body.Bytes()))
}

// LogIn is what a browser and its person do at the provider: it follows the address that the client has
// sent the browser to, logs in, and returns the address that the browser is sent back to.
func (p *Provider) LogIn(login, to string) string {
	p.t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer c.CloseIdleConnections()
	page := p.follow(c, to)
	u, err := url.Parse(page)
	if err != nil || !u.Query().Has("authRequestID") {
		return page // the provider has refused at once
	}
	id := u.Query().Get("authRequestID")
	if err := p.store.CheckUsernamePassword(login, Password, id); err != nil {
		p.t.Fatal(err)
	}
	return p.follow(c, p.Issuer+"/authorize/callback?id="+url.QueryEscape(id))
}

// follow asks an address and returns where its answer leads.
func (p *Provider) follow(c *http.Client, to string) string {
	p.t.Helper()
	res, err := c.Get(to)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode < 300 || res.StatusCode > 399 {
		p.t.Fatalf("the provider answers %d to %s: %s", res.StatusCode, to, text)
	}
	return res.Header.Get("Location")
}

// Sign makes a token of claims with the provider's own key.
func (p *Provider) Sign(typ string, claims map[string]any) string {
	p.t.Helper()
	key, err := p.store.SigningKey(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	opts := (&jose.SignerOptions{}).WithHeader("kid", key.ID())
	if typ != "" {
		opts = opts.WithType(jose.ContentType(typ))
	}
	return p.sign(jose.SigningKey{Algorithm: key.SignatureAlgorithm(), Key: key.Key()}, opts, claims)
}

// SignBy makes one with a shared secret.
func (p *Provider) SignBy(secret string, claims map[string]any) string {
	p.t.Helper()
	sum := sha256.Sum256([]byte(secret))
	return p.sign(jose.SigningKey{Algorithm: jose.HS256, Key: sum[:]}, &jose.SignerOptions{}, claims)
}

func (p *Provider) sign(key jose.SigningKey, opts *jose.SignerOptions, claims map[string]any) string {
	p.t.Helper()
	s, err := jose.NewSigner(key, opts)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	x, err := s.Sign(body)
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := x.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// Unsigned makes a token with the algorithm none.
func Unsigned(claims map[string]any) string {
	body, _ := json.Marshal(claims) // of texts and numbers
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + enc(body) + "."
}

// Claims are those of a token, unchecked.
func Claims(token string) map[string]any {
	parts := strings.Split(token, ".")
	out := map[string]any{}
	if len(parts) == 3 {
		if body, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.NewDecoder(bytes.NewReader(body)).Decode(&out) // empty where it is none
		}
	}
	return out
}

// LogoutClaims are those of a right logout token.
func (p *Provider) LogoutClaims(subject, jti string) map[string]any {
	return map[string]any{"iss": p.Issuer, "aud": ClientID, "sub": subject, "jti": jti, "iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
}

// TamperIDToken makes the provider hand out another ID token than its own.
func (p *Provider) TamperIDToken(fn func(claims map[string]any) string) {
	p.Tamper(func(path string, body []byte) []byte {
		var answer map[string]any
		if json.Unmarshal(body, &answer) != nil || answer["id_token"] == nil {
			return body
		}
		text, _ := answer["id_token"].(string)
		answer["id_token"] = fn(Claims(text))
		out, _ := json.Marshal(answer) // it was JSON before
		return out
	})
}
