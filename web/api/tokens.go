package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"trivium/identity"
	"trivium/tokens"
)

// IssuedToken is a new token; its text is shown here once and never again.
type IssuedToken struct {
	tokens.Token
	Text string `json:"token" doc:"the wire form, secret"`
}

// NewToken is the body of a token to be made.
type NewToken struct {
	User   string   `json:"user,omitempty" doc:"absent: oneself"`
	Scopes []string `json:"scopes" minItems:"1" doc:"ftp, web, xmpp, api open a road; files:read, files:write, admin"`
	TTL    int64    `json:"ttl,omitempty" minimum:"0" doc:"seconds; 0: it never expires"`
	Label  string   `json:"label,omitempty"`
	Path   string   `json:"path,omitempty" doc:"a canonical path that bounds the files"`
	From   []string `json:"from,omitempty" doc:"addresses or prefixes it may come from; empty: anywhere"`
}

func (a *API) registerTokens() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/tokens", "list-tokens", "List one's own tokens; administrators those of others or all", a.listTokens)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/tokens", "issue-token", "Make a token", a.issueToken)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/tokens/{id}", "show-token", "Show a token without its secret", a.showToken)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/tokens/{id}", "revoke-token", "Revoke a token; its sessions end", a.revokeToken)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/tokens/revoke", "revoke-tokens", "Revoke tokens, all or none", a.revokeTokens)
}

type tokensOut struct{ Body []tokens.Token }

func (a *API) listTokens(ctx context.Context, in *struct {
	User string `query:"user" doc:"administrators: whose; absent: one's own, on the control socket all"`
	All  bool   `query:"all" doc:"administrators: everybody's"`
}) (*tokensOut, error) {
	c := who(ctx)
	name := in.User
	if name == "" && !in.All {
		name = c.actor.User
	}
	if name != "" {
		acc, err := a.mine(ctx, c, name)
		if err != nil {
			return nil, err
		}
		name = a.display(acc.Login, acc.Domain)
	} else if !c.allows(identity.LevelAdmin) {
		return nil, hidden()
	}
	list, err := a.o.Tokens.List(ctx, name)
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []tokens.Token{}
	}
	return &tokensOut{list}, nil
}

// mine reads an account that is the caller's own, or any for an administrator. For others it is
// as if there were no such account.
func (a *API) mine(ctx context.Context, c caller, name string) (identity.Account, error) {
	if c.allows(identity.LevelAdmin) {
		return a.account(ctx, name)
	}
	acc, err := a.id.User(ctx, name)
	if err == nil && acc.ID == c.owner && c.owner != "" {
		return acc, nil
	}
	if err == nil || errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrInvalid) {
		return acc, hidden()
	}
	return acc, err
}

// token reads one that the caller may see.
func (a *API) token(ctx context.Context, id string) (tokens.Token, error) {
	t, err := a.o.Tokens.Get(ctx, id)
	c := who(ctx)
	switch {
	case err != nil && !errors.Is(err, identity.ErrNotFound):
		return t, err
	case err == nil && (c.allows(identity.LevelAdmin) || t.User == c.owner && c.owner != ""):
		return t, nil
	}
	return t, notFound("token", id, "")
}

type tokenOut struct{ Body tokens.Token }

type tokenIn struct {
	ID string `path:"id"`
}

func (a *API) showToken(ctx context.Context, in *tokenIn) (*tokenOut, error) {
	t, err := a.token(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &tokenOut{t}, nil
}

type issueOut struct {
	Status int
	Body   IssuedToken
}

func (a *API) issueToken(ctx context.Context, in *struct{ Body NewToken }) (*issueOut, error) {
	c := who(ctx)
	b := in.Body
	if b.User == "" {
		b.User = c.actor.User
	}
	if b.User == "" {
		return nil, invalid("user is missing: whose token is it to be?")
	}
	acc, err := a.mine(ctx, c, b.User)
	if err != nil {
		return nil, err
	}
	scopes, err := tokens.ParseScopes(strings.Join(b.Scopes, ","))
	if err != nil {
		return nil, err
	}
	const most = int64(100 * 365 * 24 * time.Hour / time.Second)
	if b.TTL > most {
		return nil, invalid("ttl is more than a hundred years; 0 means that the token never expires")
	}
	req := tokens.Request{User: a.display(acc.Login, acc.Domain), Scopes: scopes, TTL: time.Duration(b.TTL) * time.Second, Label: b.Label, Path: b.Path}
	if req.From, err = prefixes(b.From); err != nil {
		return nil, err
	}
	if c.grant != nil && acc.ID == c.owner {
		parent, err := a.o.Tokens.Get(ctx, c.grant.TokenID)
		if err != nil {
			return nil, err
		}
		if err := a.within(parent, &req); err != nil {
			return nil, err
		}
	}
	t, secret, err := a.o.Tokens.Issue(ctx, c.actor, req)
	if err != nil {
		return nil, err
	}
	return &issueOut{http.StatusCreated, IssuedToken{t, secret.Reveal()}}, nil
}

func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, invalid("%q is not an address or prefix such as 192.0.2.0/24", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// within keeps a token from making one for its own owner that may do more, lives longer, or comes
// from elsewhere than itself: who finds a narrow token must not be able to widen it.
func (a *API) within(parent tokens.Token, r *tokens.Request) error {
	for _, s := range r.Scopes {
		switch s {
		case tokens.ScopeFilesRead, tokens.ScopeFilesWrite: // they narrow; see below
		default:
			if !slices.Contains(parent.Scopes, s) {
				return wider("scope " + string(s))
			}
		}
	}
	readOnly := func(list []tokens.Scope) bool {
		return slices.Contains(list, tokens.ScopeFilesRead) && !slices.Contains(list, tokens.ScopeFilesWrite)
	}
	if readOnly(parent.Scopes) && !readOnly(r.Scopes) {
		return wider("writing files (give it files:read)")
	}
	if parent.Path != nil && r.Path != *parent.Path && !strings.HasPrefix(r.Path, strings.TrimRight(*parent.Path, "/")+"/") {
		return wider("files outside of " + *parent.Path)
	}
	if parent.ExpiresAt != nil {
		left := parent.ExpiresAt.Sub(a.now())
		if r.TTL == 0 || r.TTL > left {
			return wider("a life beyond " + parent.ExpiresAt.UTC().Format(time.RFC3339))
		}
	}
	if len(parent.From) > 0 {
		if len(r.From) == 0 {
			r.From = parent.From
		}
		for _, p := range r.From {
			if !slices.ContainsFunc(parent.From, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }) {
				return wider("use from " + p.String())
			}
		}
	}
	return nil
}

func wider(what string) error {
	return newProblem(http.StatusForbidden, codeRefused, "This token has no right to "+what+".",
		"Log in with the account's password, or ask an administrator.")
}

func (a *API) revokeToken(ctx context.Context, in *tokenIn) (*nothing, error) {
	return nil, a.revoke(ctx, []string{in.ID})
}

func (a *API) revokeTokens(ctx context.Context, in *struct {
	Body struct {
		IDs []string `json:"ids" minItems:"1" maxItems:"1000"`
	}
}) (*nothing, error) {
	return nil, a.revoke(ctx, in.Body.IDs)
}

func (a *API) revoke(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := a.token(ctx, id); err != nil {
			return err
		}
	}
	return a.o.Tokens.Revoke(ctx, who(ctx).actor, ids...)
}
