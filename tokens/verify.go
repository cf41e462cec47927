package tokens

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"trivium/identity"
)

const (
	maxSCRAMKeys = 50 // tokens tried in one SCRAM exchange
	maxUses      = 4096
	flushEvery   = 5 * time.Second
)

// Verifier checks tokens; it is identity's TokenVerifier.
type Verifier struct {
	store Store
	now   func() time.Time

	passing passing

	mu   sync.Mutex     // guards uses
	uses map[string]Use // last uses that are not in the store yet
}

// NewVerifier returns a Verifier over store; now is nil for the real clock. Run keeps the last
// uses.
func NewVerifier(store Store, now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	return &Verifier{store: store, now: now, uses: map[string]Use{}}
}

// IsToken reports whether text has the form of a token.
func (v *Verifier) IsToken(text identity.Secret) bool {
	_, ok := parse(text.Reveal())
	return ok
}

// VerifyToken implements identity.TokenVerifier.
func (v *Verifier) VerifyToken(ctx context.Context, text identity.Secret, remote string) (identity.Grant, error) {
	w, ok := parse(text.Reveal())
	if !ok {
		return identity.Grant{}, identity.ErrCredentials
	}
	row, err := v.get(ctx, w.ID())
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return identity.Grant{}, err
	}
	sum := sha256.Sum256(w.secret[:])
	want := row.SecretHash
	if err != nil {
		want = make([]byte, len(sum))
	}
	same := subtle.ConstantTimeCompare(sum[:], want) == 1
	if err != nil || !same || row.JID != w.jid || !row.usable(v.now(), remote) {
		return identity.Grant{}, identity.ErrCredentials
	}
	return v.grant(row), nil
}

// grant is what a row grants now.
func (v *Verifier) grant(r Row) identity.Grant {
	g := r.grant()
	if r.Use.At.IsZero() {
		v.mu.Lock()
		_, used := v.uses[r.ID] // and not written yet
		v.mu.Unlock()
		g.Fresh = !used
	}
	return g
}

// TokenKeys implements identity.TokenVerifier.
func (v *Verifier) TokenKeys(ctx context.Context, user identity.UserID, remote string) ([]identity.TokenKey, error) {
	rows, err := v.store.List(ctx, user)
	if err != nil {
		return nil, err
	}
	rows = append(rows, v.passing.of(user)...)
	var keys []identity.TokenKey
	for i := len(rows) - 1; i >= 0 && len(keys) < maxSCRAMKeys; i-- { // the newest are the likeliest
		if r := rows[i]; len(r.StoredKey) > 0 && r.usable(v.now(), remote) {
			keys = append(keys, identity.TokenKey{Grant: v.grant(r), StoredKey: r.StoredKey, ServerKey: r.ServerKey})
		}
	}
	return keys, nil
}

// TokenValid implements identity.TokenVerifier.
func (v *Verifier) TokenValid(ctx context.Context, id string) error {
	r, err := v.get(ctx, id)
	if err != nil {
		return err
	}
	if r.expired(v.now()) {
		return identity.ErrExpired
	}
	return nil
}

// get finds a token, be it one that memory alone has.
func (v *Verifier) get(ctx context.Context, id string) (Row, error) {
	if r, ok := v.passing.get(id); ok {
		return r, nil
	}
	return v.store.Get(ctx, id)
}

// TokenUsed implements identity.TokenVerifier; Run writes it behind.
func (v *Verifier) TokenUsed(_ context.Context, id string, at time.Time, ses *identity.Session) {
	if _, passes := v.passing.get(id); passes {
		return
	}
	u := Use{At: at}
	if ses != nil {
		u.Remote, u.Protocol, u.Agent = ses.Remote().Addr().Unmap().String(), ses.Protocol(), ses.Details().UserAgent
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.uses[id]; known || len(v.uses) < maxUses {
		v.uses[id] = u
	}
}

// Run writes last uses to the store until ctx ends, and what is left then.
func (v *Verifier) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if err := v.flush(context.WithoutCancel(ctx)); err != nil {
			log.Warn("last uses of tokens were not written", "err", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (v *Verifier) flush(ctx context.Context) error {
	v.mu.Lock()
	uses := v.uses
	v.uses = map[string]Use{}
	v.mu.Unlock()
	if len(uses) == 0 {
		return nil
	}
	return v.store.Used(ctx, uses)
}

func (r Row) expired(now time.Time) bool { return !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt) }

func (r Row) usable(now time.Time, remote string) bool {
	if r.expired(now) {
		return false
	}
	if len(r.From) == 0 {
		return true
	}
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		return false
	}
	for _, p := range r.From {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}
