package tokens

import (
	"fmt"
	"slices"
	"strings"

	"trivium/identity"
)

// Scope is one thing that a token opens or narrows.
type Scope string

// The scopes. The first four open a road; the files ones narrow what it does to files; admin
// lifts the cap at LevelCustomer, and introspect lets a service ask about sessions without it.
const (
	ScopeFTP        Scope = "ftp"
	ScopeWeb        Scope = "web" // WebDAV too
	ScopeXMPP       Scope = "xmpp"
	ScopeAPI        Scope = "api"
	ScopeFilesRead  Scope = "files:read"
	ScopeFilesWrite Scope = "files:write"
	ScopeAdmin      Scope = "admin"
	ScopeIntrospect Scope = "introspect" // asks who a session or token is; for administrators' tokens, beside api
)

// Scopes lists all of them.
func Scopes() []Scope {
	return []Scope{ScopeFTP, ScopeWeb, ScopeXMPP, ScopeAPI, ScopeFilesRead, ScopeFilesWrite, ScopeAdmin, ScopeIntrospect}
}

func (s Scope) opensRoad() bool {
	return s == ScopeFTP || s == ScopeWeb || s == ScopeXMPP || s == ScopeAPI
}

// ParseScopes reads scopes separated by commas or spaces. The error wraps identity.ErrInvalid
// and lists the scopes there are.
func ParseScopes(s string) ([]Scope, error) {
	var out []Scope
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		out = append(out, Scope(strings.ToLower(f)))
	}
	return checkScopes(out)
}

// checkScopes returns the scopes in the order of Scopes, each once.
func checkScopes(in []Scope) ([]Scope, error) {
	for _, s := range in {
		if !slices.Contains(Scopes(), s) {
			return nil, fmt.Errorf("%q is not a scope; the scopes are %s: %w", s, joinScopes(Scopes(), ", "), identity.ErrInvalid)
		}
	}
	var out []Scope
	for _, s := range Scopes() {
		if slices.Contains(in, s) {
			out = append(out, s)
		}
	}
	if !slices.ContainsFunc(out, Scope.opensRoad) {
		return nil, fmt.Errorf("a token needs at least one of the scopes ftp, web, xmpp, api: %w", identity.ErrInvalid)
	}
	return out, nil
}

func joinScopes(in []Scope, sep string) string {
	s := make([]string, len(in))
	for i := range in {
		s[i] = string(in[i])
	}
	return strings.Join(s, sep)
}

// grant translates what is stored of a token into what identity understands.
func (r Row) grant() identity.Grant {
	has := func(s Scope) bool { return slices.Contains(r.Scopes, s) }
	g := identity.Grant{
		TokenID: r.ID, User: r.User, JID: r.JID, API: has(ScopeAPI), Admin: has(ScopeAdmin), Introspect: has(ScopeIntrospect),
		Files: identity.FilesWrite, Path: r.Path, ExpiresAt: r.ExpiresAt, Passing: r.passing, Label: r.Label,
	}
	if has(ScopeFilesRead) && !has(ScopeFilesWrite) {
		g.Files = identity.FilesRead
	}
	for scope, road := range map[Scope]identity.Road{ScopeFTP: identity.RoadFTP, ScopeWeb: identity.RoadWeb, ScopeXMPP: identity.RoadXMPP} {
		if has(scope) {
			g.Roads = append(g.Roads, road)
		}
	}
	slices.Sort(g.Roads)
	return g
}
