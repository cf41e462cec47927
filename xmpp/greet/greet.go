// Package greet tells people in chat what administrators have left for them: the message of the day,
// which everybody gets once, at once or at their next presence, and the welcome, which accounts get that
// are made after it was set, at their first presence (XEP-0133 1.3.1 sections 4.24 to 4.28). Both outlive
// the process. They are headlines from the server's domain, which nothing archives.
package greet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// Kind is what a greeting is for.
type Kind string

// The kinds.
const (
	Day     Kind = "motd"
	Welcome Kind = "welcome"
)

// MaxText bounds a greeting, in bytes.
const MaxText = 4000

// Greeting is what is told now.
type Greeting struct {
	Kind   Kind
	Series string // who was told one of this series is not told another
	Text   string
	SetAt  time.Time // when the series began
}

// Store is what greet needs of a database.
type Store interface {
	Greetings(ctx context.Context) ([]Greeting, error)
	// PutGreeting replaces the one of its kind; one without text removes it.
	PutGreeting(ctx context.Context, g Greeting) error
	// Told reports whether an account was told one of the series.
	Told(ctx context.Context, owner identity.UserID, k Kind, series string) (bool, error)
	// Tell notes that accounts were told, and returns those that had not been.
	Tell(ctx context.Context, k Kind, series string, owners ...identity.UserID) (fresh []identity.UserID, err error)
	// Forget removes what is known of an account.
	Forget(ctx context.Context, owner identity.UserID) error
}

// Accounts is what greet needs of identity.
type Accounts interface {
	UserByID(ctx context.Context, id identity.UserID) (identity.Account, error)
	Record(ctx context.Context, e identity.AuditEvent) error
}

// Sessions is identity's list of sessions.
type Sessions interface {
	List(f identity.Filter) []identity.Info
}

// Greetings is the module.
type Greetings struct {
	store    Store
	accounts Accounts
	sessions Sessions
	router   *xmpp.Router

	mu  sync.Mutex // of changes, and of the first reading
	now atomic.Pointer[[]Greeting]
}

// New makes the module.
func New(store Store, a Accounts, s Sessions) *Greetings {
	return &Greetings{store: store, accounts: a, sessions: s}
}

// Register implements xmpp.Module.
func (g *Greetings) Register(reg *xmpp.Registrar) {
	g.router = reg.Router
	reg.Presence(func(ctx context.Context, p *xmpp.Presence) {
		if p.Available && p.First && p.By.Owner().ID != "" {
			g.greet(ctx, p.By)
		}
	})
	reg.Removed(g.store.Forget)
}

// current are the greetings of now; nobody changes the list.
func (g *Greetings) current(ctx context.Context) ([]Greeting, error) {
	if list := g.now.Load(); list != nil {
		return *list, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.load(ctx)
}

// load reads the greetings where nobody has. g.mu is held.
func (g *Greetings) load(ctx context.Context) ([]Greeting, error) {
	if list := g.now.Load(); list != nil {
		return *list, nil
	}
	list, err := g.store.Greetings(ctx)
	if err != nil {
		return nil, err
	}
	g.now.Store(&list)
	return list, nil
}

// Greeting is what is told now, by the name of its kind; "" for nothing.
func (g *Greetings) Greeting(ctx context.Context, kind string) (string, error) {
	list, err := g.current(ctx)
	for _, x := range list {
		if x.Kind == Kind(kind) {
			return x.Text, err
		}
	}
	return "", err
}

// SetGreeting changes what is told; "" tells nothing more. With anew everybody is told, those who are in chat at
// once; without, those alone who have not been told yet. Errors are of kind identity.ErrInvalid.
func (g *Greetings) SetGreeting(ctx context.Context, by identity.Actor, kind, text string, anew bool) error {
	k := Kind(kind)
	text = xmpp.CleanText(strings.TrimSpace(text))
	if len(text) > MaxText {
		return &invalid{fmt.Sprintf("The message is longer than %d bytes.", MaxText)}
	}
	set, had, err := g.set(ctx, k, text, anew)
	if err != nil {
		return err
	}
	e := identity.AuditEvent{Event: string(k) + ".set", Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: string(k), Result: "ok", Before: told(had), After: told(text)}
	if text == "" {
		e.Event = string(k) + ".remove"
	}
	if err := g.accounts.Record(ctx, e); err != nil {
		return err
	}
	if k == Day && text != "" && anew {
		return g.tellAll(ctx, set)
	}
	return nil
}

func told(text string) string {
	b, err := json.Marshal(map[string]string{"text": text})
	if err != nil || text == "" {
		return ""
	}
	return string(b)
}

// set stores a greeting and makes it the one of now.
func (g *Greetings) set(ctx context.Context, k Kind, text string, anew bool) (set Greeting, had string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	list, err := g.load(ctx)
	if err != nil {
		return set, "", err
	}
	set = Greeting{Kind: k, Series: rand.Text(), Text: text, SetAt: g.router.Now()}
	var next []Greeting
	for _, x := range list {
		if x.Kind != k {
			next = append(next, x)
			continue
		}
		had = x.Text
		if !anew {
			set.Series, set.SetAt = x.Series, x.SetAt
		}
	}
	if text != "" {
		next = append(next, set)
	}
	if err := g.store.PutGreeting(ctx, set); err != nil {
		return set, had, err
	}
	g.now.Store(&next)
	return set, had, nil
}

// greet tells a client that has come what its account was not told yet. A fault is logged: the
// presence stands.
func (g *Greetings) greet(ctx context.Context, s *xmpp.Stream) {
	list, err := g.current(ctx)
	for i := 0; i < len(list) && err == nil; i++ {
		err = g.one(ctx, s, list[i])
	}
	if err != nil {
		g.router.Log().Error("somebody was not greeted", "user", s.Owner().String(), "error", err)
	}
}

func (g *Greetings) one(ctx context.Context, s *xmpp.Stream, x Greeting) error {
	owner := s.Owner()
	if has, err := g.store.Told(ctx, owner.ID, x.Kind, x.Series); err != nil || has {
		return err
	}
	if x.Kind == Welcome {
		acc, err := g.accounts.UserByID(ctx, owner.ID)
		if err != nil {
			return err
		}
		if acc.CreatedAt.Before(x.SetAt) {
			_, err := g.store.Tell(ctx, x.Kind, x.Series, owner.ID) // so that it is not asked again
			return err
		}
	}
	// Another client of the account may come at the same time: one of them is told.
	fresh, err := g.store.Tell(ctx, x.Kind, x.Series, owner.ID)
	if err != nil || len(fresh) == 0 {
		return err
	}
	s.Put(message(owner.Domain(), s.JID().String(), x))
	return nil
}

// tellAll tells those who are in chat and get headlines (RFC 6121 section 8.5.2.1.1: a priority below 0
// gets none).
func (g *Greetings) tellAll(ctx context.Context, x Greeting) error {
	to := map[identity.UserID]string{}
	var owners []identity.UserID
	for _, i := range g.sessions.List(identity.Filter{Protocol: identity.ProtocolXMPP}) {
		if i.Owner == "" || i.JID == nil || i.State != identity.StateAvailable || i.Priority != nil && *i.Priority < 0 || to[i.Owner] != "" {
			continue
		}
		to[i.Owner], _, _ = strings.Cut(*i.JID, "/")
		owners = append(owners, i.Owner)
	}
	fresh, err := g.store.Tell(ctx, x.Kind, x.Series, owners...)
	if err != nil {
		return err
	}
	for _, id := range fresh {
		_, domain, _ := strings.Cut(to[id], "@")
		st, err := xmpp.ParseStanza(message(domain, to[id], x))
		if err == nil {
			err = g.router.Send(ctx, st)
		}
		if err != nil {
			return fmt.Errorf("telling %s: %w", to[id], err)
		}
	}
	return nil
}

func message(from, to string, x Greeting) []byte {
	subject := "Message of the day"
	if x.Kind == Welcome {
		subject = "Welcome"
	}
	b := xmpp.AppendAttr([]byte("<message type='headline'"), "from", from)
	b = xmpp.AppendAttr(b, "to", to)
	b = append(append(append(b, "><subject>"...), subject...), "</subject><body>"...)
	return append(append(b, xmpp.Escape(x.Text)...), "</body></message>"...)
}

// invalid is a fault of what somebody has entered, in the words for the person.
type invalid struct{ text string }

func (e *invalid) Error() string { return e.text }
func (e *invalid) Unwrap() error { return identity.ErrInvalid }
