package xmpp

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

const (
	fastLife   = 21 * 24 * time.Hour // how long a device may stay away
	fastRotate = 24 * time.Hour      // after which one that is used is replaced
	fastSeen   = time.Hour           // how exactly it is known when a client came last
	// maxFASTClients is how many clients of one account have tokens; the one that came last the
	// longest time ago loses its own to a new one.
	maxFASTClients = 50
)

// fastTokens gives out tokens and takes them back. A token is an HMAC over all that it is bound to,
// with a key of the server, so that the store holds none.
type fastTokens struct {
	store Store
	key   []byte
	now   func() time.Time
}

// derive makes the token of a slot.
func (f *fastTokens) derive(owner identity.UserID, client, mechanism string, t FASTToken, version int64) string {
	m := hmac.New(sha256.New, f.key)
	for _, part := range [...]string{string(owner), client, mechanism, t.Nonce} {
		_, _ = fmt.Fprintf(m, "%d:%s", len(part), part)
	}
	_, _ = fmt.Fprintf(m, "%d:%d", t.Expires.Unix(), version)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// fresh is a new slot.
func (f *fastTokens) fresh() FASTToken {
	return FASTToken{Nonce: rand.Text(), Expires: f.now().Add(fastLife).UTC().Truncate(time.Second)}
}

// used does what the use of a token brings with it (XEP-0484 sections 4.4 to 4.6): those before it
// are void, an old one is replaced, and one that the client does not want any more goes. The error
// is identity's: the token may have been revoked meanwhile.
func (f *fastTokens) used(ctx context.Context, owner identity.UserID, m *ht, agent UserAgent, again bool) (row FASTClient, renewed bool, err error) {
	now := f.now().UTC().Truncate(time.Second)
	if row = m.row; agent.Software == "" && agent.Device == "" {
		agent = row.Agent
	}
	due := m.slot.Expires.Sub(now) < fastLife-fastRotate
	seen := now.Sub(row.LastSeen) >= fastSeen || row.Agent != agent
	if m.slot.Nonce == row.Current.Nonce && !due && !seen && !again && !m.use.invalidate && m.use.count == 0 {
		return row, false, nil
	}
	err = f.store.Write(ctx, func(w StoreWriter) error {
		var err error
		if row, err = w.FAST(ctx, owner, m.id); err != nil {
			return err
		}
		switch m.slot.Nonce {
		case row.Current.Nonce:
			if m.use.count > 0 && m.use.count <= row.Uses {
				return identity.ErrNotFound
			}
		case row.Next.Nonce:
			row.Current, row.Next, row.Uses = row.Next, FASTToken{}, 0
		default:
			return identity.ErrNotFound
		}
		row.Agent, row.LastSeen = agent, now
		row.Uses = max(row.Uses, m.use.count)
		switch {
		case m.use.invalidate && !again:
			return w.RemoveFAST(ctx, owner, m.id)
		case m.use.invalidate:
			row.Current, row.Uses = FASTToken{}, 0
			fallthrough
		case due || again:
			row.Next, renewed = f.fresh(), true
		}
		return w.PutFAST(ctx, owner, row)
	})
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return row, false, identity.ErrCredentials
	case err != nil:
		return row, false, fmt.Errorf("%w: %w", identity.ErrUnavailable, err)
	}
	return row, renewed, nil
}

// issue gives a client a token for a mechanism (XEP-0484 section 4.3).
func (f *fastTokens) issue(ctx context.Context, c identity.Credentials, agent UserAgent, mechanism string) (FASTClient, error) {
	now := f.now().UTC().Truncate(time.Second)
	var row FASTClient
	err := f.store.Write(ctx, func(w StoreWriter) error {
		var err error
		switch row, err = w.FAST(ctx, c.UserID, agent.ID); {
		case errors.Is(err, identity.ErrNotFound):
			row = FASTClient{FirstSeen: now}
			if err := f.tidy(ctx, w, c.UserID, now); err != nil {
				return err
			}
		case err != nil:
			return err
		}
		if row.Mechanism != mechanism || row.Version != c.CredentialVersion {
			row.Current, row.Uses = FASTToken{}, 0
		}
		row.Agent, row.Mechanism, row.Version, row.LastSeen, row.Next = agent, mechanism, c.CredentialVersion, now, f.fresh()
		return w.PutFAST(ctx, c.UserID, row)
	})
	return row, err
}

// tidy makes room for one more client of an account.
func (f *fastTokens) tidy(ctx context.Context, w StoreWriter, owner identity.UserID, now time.Time) error {
	list, err := w.FASTClients(ctx, owner)
	if err != nil {
		return err
	}
	for i, c := range list {
		if i >= maxFASTClients-1 || !c.live(now) {
			if err := w.RemoveFAST(ctx, owner, c.Agent.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// live reports whether there is a token that has not expired.
func (c FASTClient) live(now time.Time) bool {
	return now.Before(c.Current.Expires) || now.Before(c.Next.Expires)
}

// fastToken does what a log-in by or for a token leaves to do, and returns the `<token/>` that the
// client gets, or nil. An error is a log-in that has failed after all.
func (n *negotiation) fastToken(ctx context.Context, q *request2, m mech) ([]byte, error) {
	want := q.token != "" && q.agent.ID != "" && n.creds.UserID != ""
	if h, ok := m.(*ht); ok {
		again := want && q.token == h.name
		row, renewed, err := n.srv.fast.used(ctx, n.creds.UserID, h, q.agent, again)
		if err != nil {
			return nil, err
		}
		if n.evidence = h; renewed {
			return n.tokenElement(row), nil
		}
	}
	// What an app password or a certificate may is narrower than what a token would, and they can be
	// revoked: there is no token in their place.
	if _, certificate := m.(*external); !want || certificate || n.creds.Grant != nil {
		return nil, nil
	}
	row, err := n.srv.fast.issue(ctx, n.creds, q.agent, q.token)
	if err != nil {
		n.c.log.Error("no token for a client", slog.Any("", n.c.ses), "error", err)
		return nil, nil // it has logged in all the same
	}
	return n.tokenElement(row), nil
}

// tokenElement is `<token/>` with what was given out last.
func (n *negotiation) tokenElement(row FASTClient) []byte {
	token := n.srv.fast.derive(n.creds.UserID, row.Agent.ID, row.Mechanism, row.Next, row.Version)
	b := append([]byte("<token xmlns='"+nsFAST+"' expiry='"), row.Next.Expires.Format(time.RFC3339)...)
	return append(append(append(b, "' token='"...), token...), "'/>"...)
}

// FASTClients returns the clients of an account that can log in by a token now (XEP-0484), the one
// seen last first.
func (r *Router) FASTClients(ctx context.Context, owner Owner) ([]FASTClient, error) {
	acc, err := r.accounts.User(ctx, owner.String())
	if err != nil {
		return nil, err
	}
	list, err := r.fast.store.FASTClients(ctx, owner.ID)
	if err != nil || acc.ID != owner.ID {
		return nil, err
	}
	live := list[:0]
	for _, c := range list {
		if c.Version == acc.CredentialVersion && c.live(r.fast.now()) {
			live = append(live, c)
		}
	}
	return live, nil
}

// RevokeFAST takes the tokens of a client back and ends its streams; it has taken effect when it
// returns. identity.ErrNotFound where the client has none, though then too its streams have ended.
func (r *Router) RevokeFAST(ctx context.Context, owner Owner, client string) error {
	_, missing := r.fast.store.FAST(ctx, owner.ID, client)
	if missing != nil && !errors.Is(missing, identity.ErrNotFound) {
		return missing
	}
	if missing == nil {
		if err := r.fast.store.Write(ctx, func(w StoreWriter) error { return w.RemoveFAST(ctx, owner.ID, client) }); err != nil {
			return err
		}
	}
	r.revocations.Add(1)
	for _, s := range r.client(owner.Address, client) {
		s.end(xstream.NotAuthorized, "The access of this client was revoked.")
	}
	return missing
}

// removeFAST forgets the tokens of an account that has been removed.
func (f *fastTokens) remove(ctx context.Context, id identity.UserID) error {
	return f.store.Write(ctx, func(w StoreWriter) error {
		list, err := w.FASTClients(ctx, id)
		if err != nil {
			return err
		}
		for _, c := range list {
			if err := w.RemoveFAST(ctx, id, c.Agent.ID); err != nil {
				return err
			}
		}
		return nil
	})
}
