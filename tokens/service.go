package tokens

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"trivium/identity"
)

const (
	maxLabel   = 128 // characters
	maxPerUser = 200
)

// Accounts is what tokens needs of identity.
type Accounts interface {
	User(ctx context.Context, name string) (identity.Account, error)
	UserByID(ctx context.Context, id identity.UserID) (identity.Account, error)
	SCRAMKeys(ctx context.Context, id identity.UserID, token string) (stored, server []byte, err error)
	TokensRevoked(ctx context.Context, owners []identity.UserID, ids ...string) error
	Record(ctx context.Context, e identity.AuditEvent) error
	Tell(user identity.UserID, n identity.Notice)
}

// Service issues, lists and revokes tokens.
type Service struct {
	store    Store
	verifier *Verifier
	accounts Accounts
	domain   string
	now      func() time.Time
}

// New returns a Service over the Verifier's store. domain is the default one, which names of
// owners are shown without.
func New(v *Verifier, accounts Accounts, domain string) *Service {
	return &Service{store: v.store, verifier: v, accounts: accounts, domain: domain, now: v.now}
}

// Request says what a new token is to be.
type Request struct {
	User   string // login or login@domain
	Scopes []Scope
	TTL    time.Duration // 0: it never expires
	Label  string
	Path   string         // canonical path that bounds the files; "" = no bound
	From   []netip.Prefix // empty: from anywhere
}

// Token is what lists show of a token: everything but the secret.
type Token struct {
	ID           string            `json:"id"`
	Owner        string            `json:"user"`
	Label        string            `json:"label"`
	Scopes       []Scope           `json:"scopes"`
	Path         *string           `json:"path"`
	From         []netip.Prefix    `json:"from"`
	CreatedAt    time.Time         `json:"created_at"`
	ExpiresAt    *time.Time        `json:"expires_at"`
	Expired      bool              `json:"expired"`
	LastUsed     *time.Time        `json:"last_used"`
	LastRemote   string            `json:"last_remote"`
	LastProtocol identity.Protocol `json:"last_protocol"`
	LastAgent    string            `json:"last_agent"`

	User identity.UserID `json:"-"`
}

// Issue makes a token for an account and returns its wire form, which nothing can show again.
// Actors issue for themselves and for accounts below their level; identity.ErrRefused otherwise.
func (s *Service) Issue(ctx context.Context, by identity.Actor, r Request) (Token, identity.Secret, error) {
	fail := func(err error) (Token, identity.Secret, error) { return Token{}, identity.Secret{}, err }
	row, text, err := s.make(ctx, by, r)
	if err != nil {
		return fail(err)
	}
	have, err := s.store.List(ctx, row.User)
	if err != nil {
		return fail(err)
	}
	if len(have) >= maxPerUser {
		return fail(fmt.Errorf("%s has %d tokens already; revoke some that are not used: %w", r.User, len(have), identity.ErrRefused))
	}
	if err := s.store.Put(ctx, row); err != nil {
		return fail(fmt.Errorf("storing the token: %w", err))
	}
	if err := s.audit(ctx, by, "token.issue", row); err != nil {
		return fail(err)
	}
	s.accounts.Tell(row.User, identity.Notice{Kind: identity.NoticeToken, What: row.Label, By: s.other(by, row), Remote: by.Remote})
	return s.shown(row), identity.NewSecret(text), nil
}

// make checks a request, and makes the row and the wire form of its token.
func (s *Service) make(ctx context.Context, by identity.Actor, r Request) (Row, string, error) {
	fail := func(err error) (Row, string, error) { return Row{}, "", err }
	a, err := s.accounts.User(ctx, r.User)
	if err != nil {
		return fail(err)
	}
	if !mayChange(by, a) {
		return fail(fmt.Errorf("tokens of %s can be made by %s or an administrator above its level: %w", r.User, r.User, identity.ErrRefused))
	}
	scopes, err := checkScopes(r.Scopes)
	if err != nil {
		return fail(err)
	}
	if err := checkRequest(r); err != nil {
		return fail(err)
	}
	if slices.Contains(scopes, ScopeIntrospect) && !a.Level.Allows(identity.LevelAdmin) {
		return fail(fmt.Errorf("the scope introspect tells of everybody's sessions: only a token of an administrator has it, and %s is %s: %w", r.User, a.Level, identity.ErrRefused))
	}
	from := unmapped(r.From)
	w := newWire(string(a.Login) + "@" + a.Domain)
	text := w.String()
	sum := sha256.Sum256(w.secret[:])
	row := Row{ID: w.ID(), SecretHash: sum[:], User: a.ID, JID: w.jid, Label: r.Label, Scopes: scopes,
		Path: r.Path, From: from, CreatedAt: s.now().UTC().Truncate(time.Second)}
	if r.TTL > 0 {
		row.ExpiresAt = row.CreatedAt.Add(r.TTL)
	}
	if slices.Contains(row.Scopes, ScopeXMPP) {
		if row.StoredKey, row.ServerKey, err = s.accounts.SCRAMKeys(ctx, row.User, text); err != nil {
			return fail(err)
		}
	}
	return row, text, nil
}

func checkRequest(r Request) error {
	if !utf8.ValidString(r.Label) || utf8.RuneCountInString(r.Label) > maxLabel || strings.ContainsFunc(r.Label, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return fmt.Errorf("a label has at most %d characters and no control characters: %w", maxLabel, identity.ErrInvalid)
	}
	if r.TTL < 0 {
		return fmt.Errorf("a token cannot expire before it begins: %w", identity.ErrInvalid)
	}
	if r.Path != "" && (!strings.HasPrefix(r.Path, "/") || strings.Contains(r.Path, "\x00") || strings.Contains(r.Path+"/", "/../")) {
		return fmt.Errorf("%q is not an absolute path such as /home/alice/inbox: %w", r.Path, identity.ErrInvalid)
	}
	return nil
}

// unmapped writes IPv4 prefixes as such, also those that came as IPv4-mapped IPv6: so they are
// compared with a client's address.
func unmapped(in []netip.Prefix) []netip.Prefix {
	const v4Mapped = 96 // bits before the IPv4 address (RFC 4291 section 2.5.5.2)
	var out []netip.Prefix
	for _, p := range in {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= v4Mapped {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-v4Mapped)
		}
		out = append(out, p.Masked())
	}
	return out
}

func mayChange(by identity.Actor, a identity.Account) bool {
	own := by.User != "" && (by.User == string(a.Login) || by.User == string(a.Login)+"@"+a.Domain)
	return own || by.Level == identity.LevelRoot || by.Level >= identity.LevelAdmin && by.Level > a.Level
}

// Get returns one token; identity.ErrNotFound where there is none.
func (s *Service) Get(ctx context.Context, id string) (Token, error) {
	r, err := s.store.Get(ctx, id)
	if err != nil {
		return Token{}, err
	}
	return s.shown(r), nil
}

// List returns the tokens of one account (login or login@domain), or of all for "", oldest
// first.
func (s *Service) List(ctx context.Context, user string) ([]Token, error) {
	var id identity.UserID
	if user != "" {
		a, err := s.accounts.User(ctx, user)
		if err != nil {
			return nil, err
		}
		id = a.ID
	}
	if err := s.verifier.flush(ctx); err != nil {
		return nil, err
	}
	rows, err := s.store.List(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]Token, 0, len(rows))
	for _, r := range rows {
		out = append(out, s.shown(r))
	}
	return out, nil
}

// Revoke removes tokens; the sessions that hold them have ended when it returns. All or none: an
// unknown ID is identity.ErrNotFound, one of somebody above the actor identity.ErrRefused.
func (s *Service) Revoke(ctx context.Context, by identity.Actor, ids ...string) error {
	var rows []Row
	for _, id := range ids {
		r, err := s.store.Get(ctx, id)
		if errors.Is(err, identity.ErrNotFound) {
			return fmt.Errorf("no token %q: %w", id, err)
		}
		if err != nil {
			return err
		}
		a, err := s.accounts.UserByID(ctx, r.User)
		if err != nil && !errors.Is(err, identity.ErrNotFound) {
			return err
		}
		if err == nil && !mayChange(by, a) {
			return fmt.Errorf("the token %s belongs to an account that is not below your level: %w", id, identity.ErrRefused)
		}
		rows = append(rows, r)
	}
	if err := s.store.Remove(ctx, ids...); err != nil {
		return fmt.Errorf("revoking: %w", err)
	}
	owners := make([]identity.UserID, len(rows))
	for i, r := range rows {
		owners[i] = r.User
	}
	if err := s.accounts.TokensRevoked(ctx, owners, ids...); err != nil {
		return fmt.Errorf("telling of what was revoked: %w", err)
	}
	for _, r := range rows {
		if err := s.audit(ctx, by, "token.revoke", r); err != nil {
			return err
		}
	}
	return nil
}

// other is who acts, where that is not the owner of the token.
func (s *Service) other(by identity.Actor, r Row) string {
	if by.User != "" && (by.User == s.shown(r).Owner || by.User == r.JID) {
		return ""
	}
	return cmp.Or(by.User, "local")
}

func (s *Service) audit(ctx context.Context, by identity.Actor, event string, r Row) error {
	actor := cmp.Or(by.User, "local")
	e := identity.AuditEvent{Time: s.now(), Event: event, Actor: actor, Via: by.Via, Subject: s.shown(r).Owner, Remote: by.Remote,
		Result: "ok", Detail: "token " + r.ID}
	change, err := json.Marshal(shownToken(r))
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if event == "token.revoke" {
		e.Before = string(change)
	} else {
		e.After = string(change)
	}
	return s.accounts.Record(ctx, e)
}

// shownToken is what the audit log says of a token.
func shownToken(r Row) map[string]any {
	m := map[string]any{"scopes": joinScopes(r.Scopes, ","), "label": r.Label}
	if r.Path != "" {
		m["path"] = r.Path
	}
	if len(r.From) > 0 {
		m["from"] = r.From
	}
	if !r.ExpiresAt.IsZero() {
		m["expires_at"] = r.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return m
}

func (s *Service) shown(r Row) Token {
	t := Token{ID: r.ID, User: r.User, Owner: r.JID, Label: r.Label, Scopes: r.Scopes, From: r.From,
		CreatedAt: r.CreatedAt, Expired: r.expired(s.now()),
		LastRemote: r.Use.Remote, LastProtocol: r.Use.Protocol, LastAgent: r.Use.Agent}
	if t.From == nil {
		t.From = []netip.Prefix{}
	}
	if r.Path != "" {
		t.Path = &r.Path
	}
	if !r.ExpiresAt.IsZero() {
		t.ExpiresAt = &r.ExpiresAt
	}
	if !r.Use.At.IsZero() {
		t.LastUsed = &r.Use.At
	}
	if login, ok := strings.CutSuffix(r.JID, "@"+s.domain); ok {
		t.Owner = login
	}
	return t
}
