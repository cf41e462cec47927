package provider

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"trivium/identity"
)

// The paths of the endpoints, below the issuer.
const (
	PathAuthorize = "/oauth/authorize"
	PathToken     = "/oauth/token" //nolint:gosec // a path
	PathUserInfo  = "/oauth/userinfo"
	PathKeys      = "/oauth/keys"
	PathRevoke    = "/oauth/revoke"
	PathLogout    = "/oauth/logout"
	PathDiscovery = "/.well-known/openid-configuration"
	PathMetadata  = "/.well-known/oauth-authorization-server" // RFC 8414
)

// What acr says of a log-in.
const (
	ACRPassword = "urn:trivium:acr:password" //nolint:gosec // a name
	ACRFactor   = "urn:trivium:acr:factor"
)

// Options is what New needs.
type Options struct {
	Identity *identity.Service
	Issuer   string        // https://host, as applications know it
	KeyLife  time.Duration // how long a key signs; 0: 90 days
	Client   *http.Client  // sends logout tokens; nil: one of its own
	Log      *slog.Logger
	Now      func() time.Time
}

// Provider is the provider. Its methods are safe for any goroutine.
type Provider struct {
	o      Options
	id     *identity.Service
	issuer string
	log    *slog.Logger
	now    func() time.Time
	keys   *ring
	out    *outbox
	wrong  *misses
}

// New prepares a provider and subscribes to ends of log-ins; Run is still to be called.
func New(o Options) *Provider {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.KeyLife <= 0 {
		o.KeyLife = defaultKeyLife
	}
	p := &Provider{o: o, id: o.Identity, issuer: strings.TrimRight(o.Issuer, "/"), log: o.Log, now: o.Now, wrong: newMisses()}
	p.keys = &ring{store: o.Identity, life: o.KeyLife, now: o.Now}
	p.out = newOutbox(p, o.Client)
	o.Identity.OnGrantEnd(p.out.put)
	return p
}

// Issuer is the provider's name to applications.
func (p *Provider) Issuer() string { return p.issuer }

// tendEvery is how often keys and grants are looked at.
const tendEvery = 10 * time.Minute

// Run sends logout tokens, changes keys and sweeps grants until ctx ends.
func (p *Provider) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.out.run(ctx)
	}()
	defer func() { <-done }()
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		if err := p.keys.tend(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("the keys of ID tokens cannot be changed", "event", "application.key", "err", err)
		}
		if err := p.id.SweepGrants(ctx, first); err != nil && ctx.Err() == nil {
			p.log.Error("log-ins at applications that are over cannot be swept", "event", "application.sweep", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// metadata is the discovery document (Discovery 1.0 section 3, RFC 8414 section 2).
type metadata struct {
	Issuer                 string   `json:"issuer"`
	Authorization          string   `json:"authorization_endpoint"`
	Token                  string   `json:"token_endpoint"`
	UserInfo               string   `json:"userinfo_endpoint"`
	Keys                   string   `json:"jwks_uri"`
	EndSession             string   `json:"end_session_endpoint"`
	Revocation             string   `json:"revocation_endpoint"`
	Scopes                 []string `json:"scopes_supported"`
	ResponseTypes          []string `json:"response_types_supported"`
	ResponseModes          []string `json:"response_modes_supported"`
	GrantTypes             []string `json:"grant_types_supported"`
	SubjectTypes           []string `json:"subject_types_supported"`
	Algorithms             []string `json:"id_token_signing_alg_values_supported"`
	TokenAuth              []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuth         []string `json:"revocation_endpoint_auth_methods_supported"`
	Claims                 []string `json:"claims_supported"`
	ACR                    []string `json:"acr_values_supported"`
	Prompts                []string `json:"prompt_values_supported"`
	Challenges             []string `json:"code_challenge_methods_supported"`
	Iss                    bool     `json:"authorization_response_iss_parameter_supported"`
	BackchannelLogout      bool     `json:"backchannel_logout_supported"`
	BackchannelLogoutBySID bool     `json:"backchannel_logout_session_supported"`
	ClaimsParameter        bool     `json:"claims_parameter_supported"`
	RequestParameter       bool     `json:"request_parameter_supported"`
	RequestURIParameter    bool     `json:"request_uri_parameter_supported"`
}

// Discovery serves the discovery document.
func (p *Provider) Discovery() http.Handler {
	auth := []string{"client_secret_basic", "client_secret_post", "none"}
	body, err := json.Marshal(metadata{Issuer: p.issuer, Authorization: p.issuer + PathAuthorize, Token: p.issuer + PathToken, UserInfo: p.issuer + PathUserInfo,
		Keys: p.issuer + PathKeys, EndSession: p.issuer + PathLogout, Revocation: p.issuer + PathRevoke, Scopes: identity.ApplicationScopes(),
		ResponseTypes: []string{"code"}, ResponseModes: []string{"query"}, GrantTypes: []string{"authorization_code", "refresh_token"},
		SubjectTypes: []string{"public"}, Algorithms: []string{"RS256", "ES256"}, TokenAuth: auth, RevocationAuth: auth,
		Claims: []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash", "name", "preferred_username",
			"locale", "zoneinfo", "email", "email_verified", "groups"},
		ACR: []string{ACRPassword, ACRFactor}, Prompts: []string{"none", "login", "consent"}, Challenges: []string{"S256"},
		Iss: true, BackchannelLogout: true, BackchannelLogoutBySID: true})
	return p.open(func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			p.fail(w, err)
			return
		}
		publish(w, body)
	}, http.MethodGet, http.MethodHead)
}

// Keys serves the public keys (RFC 7517).
func (p *Provider) Keys() http.Handler {
	return p.open(func(w http.ResponseWriter, r *http.Request) {
		set, err := p.keys.public(r.Context())
		if err != nil {
			p.fail(w, err)
			return
		}
		body, err := json.Marshal(set)
		if err != nil {
			p.fail(w, err)
			return
		}
		publish(w, body)
	}, http.MethodGet, http.MethodHead)
}

// published is how long applications may keep documents that are the same for all; new keys are shown
// longer than that before they sign.
const published = "public, max-age=900"

func publish(w http.ResponseWriter, body []byte) {
	w.Header().Set("Cache-Control", published)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client went
}
