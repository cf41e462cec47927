package provider

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
)

// Bounds of what an application sends along, in bytes. The address as a whole is bounded by the road.
const (
	maxState  = 2048
	maxNonce  = 512
	maxMaxAge = 1 << 31 // seconds
)

// Request is what an application asks for, checked as far as that is possible without a person.
type Request struct {
	App       identity.Application
	Redirect  string
	State     string
	Nonce     string
	Challenge string
	Scopes    []string // that it gets, openid among them
	None      bool     // prompt=none: nothing may be shown
	Login     bool     // prompt=login: the person shows once more to be it
	Consent   bool     // prompt=consent: and is asked in any case
	MaxAge    time.Duration
	HasMaxAge bool
	LoginHint string
	Subject   string // that the ID token it sent along is about; "": it sent none
	Strong    bool   // it wants a second factor
}

// UntrustedError says why a request cannot even be answered: it is shown, and leads nowhere, as the
// address that it names may be anybody's (RFC 6749 section 4.1.2.1).
type UntrustedError struct{ Text string }

func (e *UntrustedError) Error() string { return e.Text }

// Unwrap makes it one of identity's.
func (e *UntrustedError) Unwrap() error { return identity.ErrInvalid }

// Refusal is an answer that goes back to the application (RFC 6749 section 4.1.2.1, Core 1.0 section
// 3.1.2.6).
type Refusal struct{ Code, Text string }

func (e *Refusal) Error() string { return e.Code + ": " + e.Text }

func refuse(code, format string, args ...any) *Refusal {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// Read checks the parameters of an authorization request. The error is an *UntrustedError, which is to be
// shown; a *Refusal, for which the Request tells where it goes; or one of identity's.
func (p *Provider) Read(ctx context.Context, q url.Values) (Request, error) {
	var r Request
	id, uri := q["client_id"], q["redirect_uri"]
	if len(id) != 1 {
		return r, &UntrustedError{"the application that sent you here did not say which one it is, or said so twice"}
	}
	app, err := p.id.Application(ctx, id[0])
	if errors.Is(err, identity.ErrNotFound) {
		return r, &UntrustedError{"the application that sent you here is not known on this server; tell the administrator"}
	}
	if err != nil {
		return r, err
	}
	if len(uri) != 1 || !slices.Contains(app.Redirects, uri[0]) {
		return r, &UntrustedError{fmt.Sprintf("%s wants you sent back to an address that is not its own as far as this server knows, so you are not; tell the administrator", app.Name)}
	}
	r.App, r.Redirect = app, uri[0]
	if s := q["state"]; len(s) == 1 && len(s[0]) <= maxState {
		r.State = s[0]
	}
	return r, p.readRest(ctx, &r, q)
}

// readRest reads what is wrong in ways that the application is told of.
func (p *Provider) readRest(ctx context.Context, r *Request, q url.Values) error {
	for name, values := range q {
		if len(values) > 1 { // RFC 6749 section 3.1
			return refuse("invalid_request", "the parameter %s comes more than once", printable(name))
		}
	}
	switch {
	case len(q.Get("state")) > maxState:
		return refuse("invalid_request", "state is longer than %d bytes", maxState)
	case q.Get("response_type") == "":
		return refuse("invalid_request", "response_type is missing")
	case q.Get("response_type") != "code":
		return refuse("unsupported_response_type", "the one response type here is code")
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return refuse("invalid_request", "the one response mode here is query")
	case q.Has("request"):
		return refuse("request_not_supported", "request objects are not read here")
	case q.Has("request_uri"):
		return refuse("request_uri_not_supported", "request objects are not read here")
	case len(q.Get("nonce")) > maxNonce:
		return refuse("invalid_request", "nonce is longer than %d bytes", maxNonce)
	}
	asked := strings.Fields(q.Get("scope"))
	if !slices.Contains(asked, identity.ScopeOpenID) {
		return refuse("invalid_scope", "scope does not contain openid")
	}
	r.Scopes = slices.DeleteFunc(slices.Clone(r.App.Scopes), func(x string) bool { return !slices.Contains(asked, x) })
	r.Nonce = q.Get("nonce")
	if err := r.readChallenge(q); err != nil {
		return err
	}
	if err := r.readPrompt(q); err != nil {
		return err
	}
	if hint := q.Get("id_token_hint"); hint != "" {
		h, ok := p.ReadHint(ctx, hint)
		if !ok || h.Application != r.App.ID {
			return refuse("invalid_request", "id_token_hint is no ID token that this provider gave to this application")
		}
		r.Subject = h.Subject
	}
	r.LoginHint = q.Get("login_hint")
	wanted := strings.Fields(q.Get("acr_values")) // the one that is wanted most first
	r.Strong = r.App.Factor || len(wanted) > 0 && wanted[0] == ACRFactor
	return nil
}

// readChallenge wants PKCE with S256 of public clients always, and of others where they send no nonce,
// which would keep a stolen code out as well (RFC 9700 section 2.1.1).
func (r *Request) readChallenge(q url.Values) error {
	challenge, method := q.Get("code_challenge"), q.Get("code_challenge_method")
	if challenge == "" {
		switch {
		case method != "":
			return refuse("invalid_request", "code_challenge is missing")
		case r.App.Public():
			return refuse("invalid_request", "a public client needs PKCE: code_challenge is missing")
		case r.Nonce == "":
			return refuse("invalid_request", "PKCE or a nonce is needed: code_challenge is missing")
		}
		return nil
	}
	if method != "S256" { // an absent one means plain (RFC 7636 section 4.3)
		return refuse("invalid_request", "code_challenge_method must be S256")
	}
	const sum = 32 // bytes of SHA-256
	if b, err := base64.RawURLEncoding.Strict().DecodeString(challenge); err != nil || len(b) != sum {
		return refuse("invalid_request", "code_challenge is no SHA-256 in base64url")
	}
	r.Challenge = challenge
	return nil
}

func (r *Request) readPrompt(q url.Values) error {
	prompts := strings.Fields(q.Get("prompt"))
	for _, x := range prompts {
		switch x {
		case "none":
			r.None = true
		case "login", "select_account": // who is logged in shows to be it, or logs out there
			r.Login = true
		case "consent":
			r.Consent = true
		default:
			return refuse("invalid_request", "prompt is one of none, login and consent")
		}
	}
	if r.None && len(prompts) > 1 {
		return refuse("invalid_request", "prompt=none stands alone")
	}
	if text := q.Get("max_age"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return refuse("invalid_request", "max_age is a number of seconds")
		}
		r.MaxAge, r.HasMaxAge = time.Duration(min(n, maxMaxAge))*time.Second, true
	}
	return nil
}

// Code is the address that carries a code to the application.
func (p *Provider) Code(r Request, code identity.Secret) string {
	return p.back(r, url.Values{"code": {code.Reveal()}})
}

// Refuse is the address that tells the application why there is no code.
func (p *Provider) Refuse(r Request, e *Refusal) string {
	return p.back(r, url.Values{"error": {e.Code}, "error_description": {e.Text}})
}

// back adds to what the address has already; iss tells the application who answers (RFC 9207).
func (p *Provider) back(r Request, q url.Values) string {
	q.Set("iss", p.issuer)
	if r.State != "" {
		q.Set("state", r.State)
	}
	sep := "?"
	if strings.Contains(r.Redirect, "?") {
		sep = "&"
	}
	return r.Redirect + sep + q.Encode()
}

// printable is a parameter's name as an error may hold it (RFC 6749 section 4.1.2.1).
func printable(s string) string {
	const most = 40
	if len(s) > most {
		s = s[:most]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}

// Farewell is a request to be logged out (RP-Initiated Logout 1.0 section 2).
type Farewell struct {
	App  identity.Application // zero: it does not say
	Hint Hint                 // zero: it sent none that is ours
	Back string               // where the browser goes then; "": nowhere
}

// ReadFarewell reads a log-out request. What cannot be trusted is an *UntrustedError: an address that
// the application does not have, or one without an application.
func (p *Provider) ReadFarewell(ctx context.Context, q url.Values) (Farewell, error) {
	var f Farewell
	for _, values := range q {
		if len(values) > 1 {
			return f, &UntrustedError{"the application that sent you here said something twice"}
		}
	}
	id := q.Get("client_id")
	if raw := q.Get("id_token_hint"); raw != "" {
		if h, ok := p.ReadHint(ctx, raw); ok {
			if id != "" && id != h.Application {
				return f, &UntrustedError{"the application that sent you here is not the one that it says"}
			}
			f.Hint, id = h, h.Application
		}
	}
	if id != "" {
		app, err := p.id.Application(ctx, id)
		if err != nil && !errors.Is(err, identity.ErrNotFound) {
			return f, err
		}
		if err != nil {
			return f, &UntrustedError{"the application that sent you here is not known on this server"}
		}
		f.App = app
	}
	uri := q.Get("post_logout_redirect_uri")
	if uri == "" {
		return f, nil
	}
	if f.App.ID == "" || !slices.Contains(f.App.LogoutRedirects, uri) {
		return f, &UntrustedError{"the application that sent you here wants you sent on to an address that is not its own as far as this server knows"}
	}
	f.Back = uri
	if state := q.Get("state"); state != "" && len(state) <= maxState {
		sep := "?"
		if strings.Contains(uri, "?") {
			sep = "&"
		}
		f.Back += sep + url.Values{"state": {state}}.Encode()
	}
	return f, nil
}
