package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"trivium/identity"
)

// Bounds of introspection.
const (
	introspectMisses = 600 // answers "not active" that one asker gets a minute: real ones are few
	introspectWindow = time.Minute
	introspectAskers = 4096
)

// Introspected is the answer of RFC 7662 section 2.2. What is not active says nothing else, whatever
// the reason is.
type Introspected struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty" doc:"of a token"`
	Username  string `json:"username,omitempty"`
	TokenType string `json:"token_type,omitempty" doc:"token: an app password; cookie: the value of the cookie as or ls; session: the ID of a session, which proves nothing; application: an access or refresh token of an application"`
	Exp       int64  `json:"exp,omitempty"`
	Iat       int64  `json:"iat,omitempty"`
	Sub       string `json:"sub,omitempty" doc:"the account's ID, which never changes"`
	Iss       string `json:"iss,omitempty" doc:"our domain"`
	Jti       string `json:"jti,omitempty" doc:"ID of the token"`
	ClientID  string `json:"client_id,omitempty" doc:"of a token of an application: which one it was given to"`

	Level   int                  `json:"level,omitempty" doc:"what it may do at most"`
	UID     uint32               `json:"uid,omitempty"`
	GID     uint32               `json:"gid,omitempty"`
	Groups  []string             `json:"groups,omitempty"`
	Session *identity.Info       `json:"session,omitempty" doc:"of a cookie or session"`
	Engine  *identity.EngineData `json:"engine,omitempty" doc:"what the engine keeps of a browser session; csrft only where its cookie was shown"`
}

func (a *API) registerIntrospect() {
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/introspect", "introspect",
		"Say who a token, a browser's cookie or a session is (RFC 7662); for an administrator's token with scope introspect, or admin", a.introspect)
}

func (a *API) introspect(ctx context.Context, in *struct {
	RawBody []byte `contentType:"application/x-www-form-urlencoded" doc:"token: what is asked about; address: where it was shown, for tokens that are bound to addresses"`
}) (*struct{ Body Introspected }, error) {
	c := who(ctx)
	if err := a.mayIntrospect(ctx, c); err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(in.RawBody))
	if err != nil || len(form["token"]) != 1 || len(form["address"]) > 1 {
		return nil, newProblem(http.StatusBadRequest, codeInvalid, "The body is a form with one field token (RFC 7662 section 2.1).", "")
	}
	var from netip.Addr
	if text := form.Get("address"); text != "" {
		if from, err = netip.ParseAddr(text); err != nil {
			return nil, newProblem(http.StatusBadRequest, codeInvalid, "The field address is no IP address.", "")
		}
	}
	if !a.misses.may(c.asker(), a.now()) {
		p := newProblem(http.StatusTooManyRequests, codeThrottled, "Too many of the values that you asked about mean nothing; guessing is of no use.", "")
		p.header = http.Header{"Retry-After": {"60"}}
		return nil, p
	}
	x, err := a.id.Introspect(ctx, identity.NewSecret(strings.TrimSpace(form.Get("token"))), from)
	if errors.Is(err, identity.ErrNotFound) {
		a.misses.miss(c.asker(), a.now())
		return &struct{ Body Introspected }{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &struct{ Body Introspected }{a.introspected(x)}, nil
}

func (a *API) introspected(x *identity.Introspection) Introspected {
	out := Introspected{Active: true, Scope: strings.Join(x.Scopes, " "), TokenType: string(x.Kind), Iss: a.domain(), Jti: x.TokenID, ClientID: x.Application,
		Level: int(x.Level), Session: x.Session, Engine: x.Engine}
	if !x.Expires.IsZero() {
		out.Exp = x.Expires.Unix()
	}
	if !x.Begun.IsZero() {
		out.Iat = x.Begun.Unix()
	}
	if acc := x.Account; acc != nil {
		out.Username, out.Sub, out.UID, out.GID = a.display(acc.Login, acc.Domain), string(acc.ID), acc.UID, acc.GID
		for _, g := range acc.Groups {
			out.Groups = append(out.Groups, string(g.Name))
		}
	}
	return out
}

// mayIntrospect lets the machine's owner ask, and a token with the scope introspect or admin whose
// owner administers now. For others it is as if there were nothing here.
func (a *API) mayIntrospect(ctx context.Context, c caller) error {
	if c.session == nil {
		return nil // the control socket
	}
	if c.grant == nil || !c.grant.Introspect && !c.grant.Admin {
		return hidden()
	}
	acc, err := a.id.UserByID(ctx, c.owner)
	if err != nil || !acc.Level.Allows(identity.LevelAdmin) {
		return hidden()
	}
	return nil
}

// asker is who asks, for counting.
func (c caller) asker() string {
	switch {
	case c.grant != nil:
		return c.grant.TokenID
	case c.session != nil:
		return c.session.ID()
	}
	return ""
}

// misses counts answers that were no.
type misses struct {
	mu sync.Mutex // guards by
	by map[string]*missed
}

type missed struct {
	since time.Time
	n     int
}

func newMisses() *misses { return &misses{by: map[string]*missed{}} }

// may reports whether an asker has guessed so little that it may ask again.
func (m *misses) may(who string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.by[who]
	return x == nil || now.Sub(x.since) > introspectWindow || x.n < introspectMisses
}

func (m *misses) miss(who string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.by[who]
	if x == nil || now.Sub(x.since) > introspectWindow {
		if len(m.by) >= introspectAskers {
			clear(m.by)
		}
		x = &missed{since: now}
		m.by[who] = x
	}
	x.n++
}
