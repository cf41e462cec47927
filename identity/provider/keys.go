package provider

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"trivium/identity"
)

// The life of a key: it is shown for keyLead before it signs, so that applications which keep the keys
// know it, signs for KeyLife, and is shown for keyTail after that.
const (
	defaultKeyLife = 90 * 24 * time.Hour
	keyLead        = 24 * time.Hour
	keyTail        = 7 * 24 * time.Hour // more than any token lives; log-outs name their session by old ones
	keyRefresh     = time.Minute        // how old what is known of the store may be
	rsaBits        = 2048
)

// algorithms are those that ID tokens are signed with.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256} //nolint:gochecknoglobals // a constant list

// keyStore is what the ring needs of identity.
type keyStore interface {
	ApplicationKeys(ctx context.Context) ([]identity.ApplicationKey, error)
	AddApplicationKey(ctx context.Context, k identity.ApplicationKey) error
	RemoveApplicationKeys(ctx context.Context, ids ...string) error
}

// ring has the keys.
type ring struct {
	store keyStore
	life  time.Duration
	now   func() time.Time

	mu   sync.Mutex // held over a look at the store; guards what follows
	keys []key      // the oldest first
	read time.Time
}

type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
	created   time.Time
}

func (k key) jwk(private bool) jose.JSONWebKey {
	out := jose.JSONWebKey{KeyID: k.id, Algorithm: string(k.algorithm), Use: "sig", Key: k.private.Public()}
	if private {
		out.Key = k.private
	}
	return out
}

// tend makes keys that are wanted and removes those that have been shown for long enough.
func (r *ring) tend(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.load(ctx, true)
}

// load reads the keys where what is known is old; r.mu is held.
func (r *ring) load(ctx context.Context, tend bool) error {
	now := r.now()
	if !tend && len(r.keys) > 0 && now.Sub(r.read) < keyRefresh {
		return nil
	}
	if err := r.fetch(ctx); err != nil {
		return err
	}
	for _, alg := range algorithms {
		mine := r.of(alg)
		if len(mine) == 0 || tend && now.Sub(mine[len(mine)-1].created) >= r.life {
			if err := r.make(ctx, alg); err != nil {
				return err
			}
		}
	}
	if !tend {
		return nil
	}
	var old []string
	for _, alg := range algorithms {
		mine := r.of(alg)
		for i := 0; i+1 < len(mine); i++ {
			if now.Sub(mine[i+1].created) >= keyLead+keyTail { // the next one has signed that long
				old = append(old, mine[i].id)
			}
		}
	}
	if len(old) == 0 {
		return nil
	}
	if err := r.store.RemoveApplicationKeys(ctx, old...); err != nil {
		return fmt.Errorf("removing old keys: %w", err)
	}
	r.keys = slices.DeleteFunc(r.keys, func(k key) bool { return slices.Contains(old, k.id) })
	return nil
}

func (r *ring) fetch(ctx context.Context) error {
	list, err := r.store.ApplicationKeys(ctx)
	if err != nil {
		return fmt.Errorf("reading the keys of ID tokens: %w", err)
	}
	keys := make([]key, 0, len(list))
	for _, k := range list {
		parsed, err := x509.ParsePKCS8PrivateKey(k.Key)
		signer, ok := parsed.(crypto.Signer)
		if err != nil || !ok {
			return fmt.Errorf("reading the key %s of ID tokens: it is damaged: %w", k.ID, identity.ErrUnavailable)
		}
		keys = append(keys, key{k.ID, jose.SignatureAlgorithm(k.Algorithm), signer, k.CreatedAt})
	}
	r.keys, r.read = keys, r.now()
	return nil
}

// make makes a key and keeps it.
func (r *ring) make(ctx context.Context, alg jose.SignatureAlgorithm) error {
	var private crypto.Signer
	var err error
	if alg == jose.ES256 {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	}
	if err != nil {
		return fmt.Errorf("making a key of ID tokens: %w", err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("making a key of ID tokens: %w", err)
	}
	k := key{rand.Text()[:16], alg, private, r.now().UTC()}
	if err := r.store.AddApplicationKey(ctx, identity.ApplicationKey{ID: k.id, Algorithm: string(alg), Key: text, CreatedAt: k.created}); err != nil {
		return fmt.Errorf("keeping a key of ID tokens: %w", err)
	}
	r.keys = append(r.keys, k)
	return nil
}

// of returns the keys of an algorithm, the oldest first.
func (r *ring) of(alg jose.SignatureAlgorithm) []key {
	var out []key
	for _, k := range r.keys {
		if k.algorithm == alg {
			out = append(out, k)
		}
	}
	return out
}

// signing is the key that signs now: the newest that has been shown for long enough, else the oldest.
func (r *ring) signing(ctx context.Context, alg jose.SignatureAlgorithm) (key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.load(ctx, false); err != nil {
		return key{}, err
	}
	mine := r.of(alg)
	if len(mine) == 0 {
		return key{}, fmt.Errorf("there is no key for %s: %w", alg, identity.ErrUnavailable)
	}
	best := mine[0]
	for _, k := range mine[1:] {
		if r.now().Sub(k.created) >= keyLead {
			best = k
		}
	}
	return best, nil
}

// public is the set that applications read.
func (r *ring) public(ctx context.Context) (jose.JSONWebKeySet, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	if err := r.load(ctx, false); err != nil {
		return set, err
	}
	for _, k := range r.keys {
		set.Keys = append(set.Keys, k.jwk(false))
	}
	return set, nil
}

// find returns a key by its ID and algorithm: a key signs by one alone.
func (r *ring) find(ctx context.Context, id, alg string) (key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.load(ctx, false) != nil {
		return key{}, false
	}
	i := slices.IndexFunc(r.keys, func(k key) bool { return k.id == id && string(k.algorithm) == alg })
	if i < 0 {
		return key{}, false
	}
	return r.keys[i], true
}
