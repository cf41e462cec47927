package webhooks

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"trivium/identity"
)

// Bounds of subscriptions.
const (
	maxHooks  = 50
	maxURL    = 1024 // bytes
	maxEvents = 50
	maxEvent  = 64 // bytes of a name
	maxNote   = 200
	keptTries = 200 // deliveries that the log of one subscription has
	secretLen = 32  // bytes
)

// Options is what New needs.
type Options struct {
	Store   Store
	Log     Log
	Private bool // private addresses and plain HTTP are allowed
	Slog    *slog.Logger
	Now     func() time.Time
	// Backoff is how long to wait after so many failures in a row; nil: seconds at first, two hours at
	// last.
	Backoff func(failures int) time.Duration
}

// Service holds the subscriptions and delivers.
type Service struct {
	o       Options
	seal    cipher.AEAD
	reach   reach
	client  *http.Client
	changed chan struct{}

	mu   sync.Mutex // one change of a subscription at a time; guards busy
	busy map[string]bool
}

// New makes a service; Run delivers.
func New(o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Slog == nil {
		o.Slog = slog.New(slog.DiscardHandler)
	}
	if o.Backoff == nil {
		o.Backoff = backoff
	}
	seal, err := chacha20poly1305.NewX(o.Log.DeriveKey("webhooks"))
	if err != nil {
		return nil, fmt.Errorf("preparing the seal of webhooks: %w", err)
	}
	to := newReach(o.Private)
	return &Service{o: o, seal: seal, reach: to, client: newClient(to, nil), changed: make(chan struct{}, 1), busy: map[string]bool{}}, nil
}

// NewHook is a subscription to be made, or what changes of one: nil stays.
type NewHook struct {
	URL    *string
	Events *[]string
	Active *bool
	Note   *string
}

func faultf(kind error, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), kind)
}

func mayChange(by identity.Actor) error {
	if by.Level == identity.LevelNobody || !by.Level.Allows(identity.LevelAdmin) {
		return faultf(identity.ErrRefused, "webhooks need the level %s; yours is %s", identity.LevelAdmin, by.Level)
	}
	return nil
}

// apply puts n into h, or says what is wrong.
func (s *Service) apply(h *Hook, n NewHook) error {
	if n.URL != nil {
		h.URL = strings.TrimSpace(*n.URL)
		u, err := url.Parse(h.URL)
		switch {
		case err != nil || u.Host == "" || len(h.URL) > maxURL:
			return faultf(identity.ErrInvalid, "url is an address such as https://example.org/hook, of at most %d characters", maxURL)
		case u.User != nil || u.Fragment != "":
			return faultf(identity.ErrInvalid, "url has no name, password or fragment in it")
		case u.Scheme != "https" && (u.Scheme != "http" || !s.o.Private):
			return faultf(identity.ErrInvalid, "url begins with https://; plain HTTP needs web.webhooks_private")
		}
		// A name is looked at when it is dialled, whatever it leads to then; an address is said at once.
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !s.reach.may(a) {
			return faultf(identity.ErrInvalid, "%s", errPrivate)
		}
	}
	if n.Events != nil {
		h.Events = slices.Compact(slices.Sorted(slices.Values(*n.Events)))
		if len(h.Events) > maxEvents {
			return faultf(identity.ErrInvalid, "at most %d events", maxEvents)
		}
		for _, e := range h.Events {
			if e == "" || len(e) > maxEvent || strings.Trim(strings.TrimSuffix(e, "*"), "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
				return faultf(identity.ErrInvalid, "%q is no name of an event, nor a beginning such as user.*", e)
			}
		}
	}
	if n.Note != nil {
		h.Note = strings.TrimSpace(*n.Note)
		if len(h.Note) > maxNote || strings.ContainsAny(h.Note, "\r\n\x00") {
			return faultf(identity.ErrInvalid, "note: at most %d bytes, in one line", maxNote)
		}
	}
	if n.Active != nil && *n.Active != h.Active {
		h.Active, h.Why, h.Failures, h.Failing, h.NextAt = *n.Active, "", 0, time.Time{}, time.Time{}
	}
	return nil
}

// Add makes a subscription to what happens from now on. Its secret is shown here and never again.
func (s *Service) Add(ctx context.Context, by identity.Actor, n NewHook) (Hook, identity.Secret, error) {
	none := identity.Secret{}
	if err := mayChange(by); err != nil {
		return Hook{}, none, err
	}
	if n.URL == nil {
		return Hook{}, none, faultf(identity.ErrInvalid, "url is missing: where are events to go?")
	}
	h := Hook{ID: "wh_" + strings.ToLower(rand.Text()[:16]), Active: true, CreatedBy: by.User, CreatedAt: s.o.Now().UTC().Truncate(time.Microsecond)}
	if err := s.apply(&h, n); err != nil {
		return Hook{}, none, err
	}
	secret := s.renew(&h)
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.o.Store.Hooks(ctx)
	if err != nil {
		return Hook{}, none, err
	}
	if len(all) >= maxHooks {
		return Hook{}, none, faultf(identity.ErrRefused, "there are %d webhooks, and no more can be; remove one first", len(all))
	}
	head, err := s.o.Log.AuditHead(ctx)
	if err != nil {
		return Hook{}, none, err
	}
	h.Position = head.ID
	if err := s.o.Store.PutHook(ctx, h); err != nil {
		return Hook{}, none, err
	}
	s.wake()
	return h, secret, s.record(ctx, by, "webhook.add", h)
}

// renew gives h a secret, and returns what the other side checks signatures by.
func (s *Service) renew(h *Hook) identity.Secret {
	key := make([]byte, secretLen)
	_, _ = rand.Read(key) // never fails, as its documentation says
	h.Secret = s.sealed(h.ID, key)
	return identity.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(key))
}

// Rotate gives a subscription another secret, which is shown here and never again. What is sent from
// now on is signed with it alone.
func (s *Service) Rotate(ctx context.Context, by identity.Actor, id string) (Hook, identity.Secret, error) {
	var secret identity.Secret
	h, err := s.change(ctx, by, id, "webhook.rotate", func(h *Hook) error {
		secret = s.renew(h)
		return nil
	})
	if err != nil {
		return Hook{}, identity.Secret{}, err
	}
	return h, secret, nil
}

// Set changes a subscription. One that was switched off goes on where it was.
func (s *Service) Set(ctx context.Context, by identity.Actor, id string, n NewHook) (Hook, error) {
	return s.change(ctx, by, id, "webhook.set", func(h *Hook) error { return s.apply(h, n) })
}

func (s *Service) change(ctx context.Context, by identity.Actor, id, event string, fn func(*Hook) error) (Hook, error) {
	if err := mayChange(by); err != nil {
		return Hook{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.Hook(ctx, id)
	if err != nil {
		return Hook{}, err
	}
	if err := fn(&h); err != nil {
		return Hook{}, err
	}
	if err := s.o.Store.PutHook(ctx, h); err != nil {
		return Hook{}, err
	}
	s.wake()
	return h, s.record(ctx, by, event, h)
}

// Remove removes a subscription and its log.
func (s *Service) Remove(ctx context.Context, by identity.Actor, id string) error {
	if err := mayChange(by); err != nil {
		return err
	}
	h, err := s.Hook(ctx, id)
	if err != nil {
		return err
	}
	if err := s.o.Store.RemoveHook(ctx, id); err != nil {
		return err
	}
	return s.record(ctx, by, "webhook.remove", h)
}

// Hooks lists the subscriptions, the oldest first.
func (s *Service) Hooks(ctx context.Context) ([]Hook, error) { return s.o.Store.Hooks(ctx) }

// Hook reads one.
func (s *Service) Hook(ctx context.Context, id string) (Hook, error) {
	h, err := s.o.Store.Hook(ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		err = faultf(identity.ErrNotFound, "no webhook %q", id)
	}
	return h, err
}

// Deliveries lists the last tries of a subscription, the newest first.
func (s *Service) Deliveries(ctx context.Context, id string) ([]Delivery, error) {
	if _, err := s.Hook(ctx, id); err != nil {
		return nil, err
	}
	return s.o.Store.Deliveries(ctx, id)
}

// Last is the newest delivery of each subscription that has one, by the subscription's ID.
func (s *Service) Last(ctx context.Context) (map[string]Delivery, error) {
	return s.o.Store.LastDeliveries(ctx)
}

func (s *Service) record(ctx context.Context, by identity.Actor, event string, h Hook) error {
	u, err := url.Parse(h.URL)
	host := ""
	if err == nil { // a path may be a secret of the other side
		host = u.Scheme + "://" + u.Host
	}
	state := "on"
	if !h.Active {
		state = "off"
	}
	return s.o.Log.Record(ctx, identity.AuditEvent{Event: event, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: h.ID, Result: "ok",
		Detail: strings.TrimSpace(host + " " + state + " " + strings.Join(h.Events, ",") + " " + h.Why)})
}

func (s *Service) sealed(id string, key []byte) []byte {
	nonce := make([]byte, s.seal.NonceSize(), s.seal.NonceSize()+len(key)+s.seal.Overhead())
	_, _ = rand.Read(nonce)
	return s.seal.Seal(nonce, nonce, key, []byte(id))
}

func (s *Service) key(h Hook) ([]byte, error) {
	n := s.seal.NonceSize()
	if len(h.Secret) > n {
		if key, err := s.seal.Open(nil, h.Secret[:n], h.Secret[n:], []byte(h.ID)); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("the secret of the webhook was sealed with another seal key: remove the webhook and add it anew")
}
