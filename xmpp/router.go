package xmpp

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
)

// Accounts is what routing needs of identity.
type Accounts interface {
	// User reads an account by login@domain; identity.ErrNotFound where there is none.
	User(ctx context.Context, name string) (identity.Account, error)
	// Allowed says whether the session may use a resource such as xmpp:message now.
	Allowed(ses *identity.Session, r identity.Resource) bool
	// Certificates, AddCertificate and RemoveCertificate are the list of an account's client
	// certificates; MayManageCertificates says whether a session may change it.
	Certificates(ctx context.Context, name string) ([]identity.Certificate, error)
	AddCertificate(ctx context.Context, by identity.Actor, name string, n identity.NewCertificate) (identity.Certificate, error)
	RemoveCertificate(ctx context.Context, by identity.Actor, name, which string, keep bool) (identity.Certificate, error)
	MayManageCertificates(ses *identity.Session) error
}

// Router knows the bound streams of this node and moves stanzas between them.
//
// Locks, in the order in which they are taken: books (of one or two accounts, never another one
// of them later) → stream.mu → mu. So nothing is put into a stream while mu is held; who is to get
// a stanza is found under mu, and it is put after.
type Router struct {
	accounts Accounts
	store    Store
	log      *slog.Logger
	domains  map[string]bool
	domain   string // the default one
	version  string
	now      func() time.Time
	started  time.Time
	hooks    *hooks
	fast     *fastTokens
	// revocations rises with each token or certificate that is revoked, after the commit.
	revocations atomic.Uint64
	pushes      atomic.Uint64
	rosters     rosters
	questions

	// books keep what happens to one account's roster and presence in one order: a subscription
	// that is cancelled while presence goes out either gets it before the end or not at all.
	books [256]sync.Mutex
	seed  maphash.Seed

	mu    sync.RWMutex // guards what follows and the fields of each resource that say so
	bound map[Address][]*Stream
}

// Address is a bare JID as a key.
type Address struct{ local, domain string }

func addressOf(j jid.JID) Address { return Address{j.Localpart(), j.Domainpart()} }

func (a Address) String() string {
	if a.local == "" {
		return a.domain
	}
	return a.local + "@" + a.domain
}

// resource is what the router keeps of a bound stream. The first fields stay as bind set them.
type resource struct {
	Address
	owner identity.UserID // "" for an anonymous session
	full  string
	name  string // the resourcepart

	left bool // unbound: its last stanza may still be in work; guarded by the account's book

	// Guarded by router.mu.
	available  bool
	interested bool // asked for the roster
	priority   int8
	presence   *Stanza // the last one without type and address
	since      time.Time

	directed map[string]jid.JID // who got directed presence; guarded by the account's book
	sent     atomic.Int32       // bytes of those addresses; set with the book held
}

func newRouter(o Options) *Router {
	r := &Router{
		accounts: o.Identity, store: o.Store, log: o.Log, version: o.Version,
		now: time.Now, domains: make(map[string]bool), bound: make(map[Address][]*Stream),
		seed: maphash.MakeSeed(), hooks: newHooks(),
		rosters: rosters{by: make(map[identity.UserID]*kept), max: rosterRoom, past: pastRosters{alone: o.Alone}},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	for i, d := range o.Domains {
		if j, err := jid.New("", d, ""); err == nil {
			d = j.Domainpart()
		}
		if i == 0 {
			r.domain = d
		}
		r.domains[d] = true
		r.domains["anon."+d] = true
	}
	r.started = r.now()
	reg := &Registrar{r}
	reg.Serve(r.ownServices()...)
	reg.manages(o)
	reg.certificates(o)
	for _, m := range o.Modules {
		m.Register(reg)
	}
	return r
}

// bind registers s under its full JID before the client knows that it is bound. It is called with
// s.mu held: it does not block and does not put into s. Where another stream has the JID, s
// takes its place and the other one comes back; the caller ends that one with conflict and calls
// unbind for it before s reads its first stanza.
func (r *Router) bind(_ context.Context, s *Stream) (old *Stream, err error) {
	creds, ok := s.ses.Credentials()
	if !ok {
		return nil, fmt.Errorf("binding %s: %w", s.full, identity.ErrEnded)
	}
	s.res = resource{Address: addressOf(s.full), owner: creds.UserID, full: s.full.String(), name: s.full.Resourcepart()}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.bound[s.res.Address]
	if i := indexResource(list, s.res.name); i >= 0 {
		old, list[i] = list[i], s
		return old, nil
	}
	r.bound[s.res.Address] = append(list, s)
	return nil, nil
}

// unbindTimeout bounds the store's work when a stream ends.
const unbindTimeout = 10 * time.Second

// unbind takes s out, exactly once, after its last stanza was handled. Where s still has its JID
// it is freed; unavailable presence goes to whom it is owed. why is a few words for the presence
// status, or empty. It is called without s.mu.
func (r *Router) unbind(s *Stream, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), unbindTimeout)
	defer cancel()
	r.takeOut(ctx, s, why)
	for _, down := range r.hooks.downs {
		down(ctx, s)
	}
}

func (r *Router) takeOut(ctx context.Context, s *Stream, why string) {
	gone := unavailable(why)
	gone.From = s.full
	unlock := r.lock(s.res.Address)
	was := r.unlist(ctx, s, gone)
	unlock()
	if was {
		r.changed(ctx, &Presence{Stanza: gone, By: s})
	}
}

// unlist frees the address of s, where it still has it, and makes it unavailable. The account's
// book is held.
func (r *Router) unlist(ctx context.Context, s *Stream, gone *Stanza) (was bool) {
	r.mu.Lock()
	list := r.bound[s.res.Address]
	if i := slices.Index(list, s); i >= 0 {
		if list = slices.Delete(list, i, i+1); len(list) == 0 {
			delete(r.bound, s.res.Address)
		} else {
			r.bound[s.res.Address] = list
		}
	}
	r.mu.Unlock()
	s.res.left = true
	if len(list) == 0 {
		defer r.rosters.left(s.res.owner)
	}
	return r.goOffline(ctx, s, gone, false)
}

// features are the stream features that belong beside bind, as whole elements: roster versions
// and pre-approval (RFC 6121 sections 2.6.1 and 3.4.1), and those of modules.
func (r *Router) features(ses *identity.Session) []byte {
	b := []byte("<ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>")
	for _, offer := range r.hooks.offers {
		b = append(b, offer(ses)...)
	}
	return b
}

// handle routes one stanza that s sent, in the goroutine of s alone, in the order of arrival.
func (r *Router) handle(ctx context.Context, s *Stream, st *Stanza) {
	switch st.Kind {
	case KindMessage:
		r.message(ctx, s, st)
	case KindPresence:
		r.presence(ctx, s, st)
	case KindIQ:
		r.iq(ctx, s, st)
	}
}

// Target is what kind of thing an address is.
type Target uint8

const (
	ToSelf     Target = iota // no address or one's own bare JID
	ToServer                 // a domain of ours
	ToAccount                // a bare JID of ours
	ToResource               // a full JID of ours
	ToForeign
)

// targetOf reads the address of a stanza that s sent (RFC 6120 section 10.3: without one, the
// stanza is for the sender's own account).
func (r *Router) targetOf(s *Stream, to jid.JID) Target {
	domain := to.Domainpart()
	switch {
	case domain == "":
		return ToSelf
	case !r.domains[domain]:
		return ToForeign
	case to.Localpart() == "":
		return ToServer
	case to.Resourcepart() != "":
		return ToResource
	case addressOf(to) == s.res.Address:
		return ToSelf
	}
	return ToAccount
}

// indexResource finds a resource in the list of an account.
func indexResource(list []*Stream, name string) int {
	for i, s := range list {
		if s.res.name == name {
			return i
		}
	}
	return -1
}

// at returns the stream that is bound to a full JID, or nil.
func (r *Router) at(full jid.JID) *Stream {
	name := full.Resourcepart()
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := r.bound[addressOf(full)]
	if i := indexResource(list, name); i >= 0 {
		return list[i]
	}
	return nil
}

// usual is how many resources of one account are found without an allocation.
const usual = 8

// pick appends the streams of an account that which chooses; which runs under mu.
func (r *Router) pick(to []*Stream, a Address, which func(*resource) bool) []*Stream {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, s := range r.bound[a] {
		if which(&s.res) {
			to = append(to, s)
		}
	}
	return to
}

func isAvailable(x *resource) bool  { return x.available }
func isInterested(x *resource) bool { return x.interested }
func takesAll(x *resource) bool     { return x.available && x.priority >= 0 }

// deliver puts b into the streams of an account that which chooses.
func (r *Router) deliver(a Address, which func(*resource) bool, b []byte) {
	var buf [usual]*Stream
	for _, s := range r.pick(buf[:0], a, which) {
		s.Put(b)
	}
}

// lock takes the books of one or two accounts and returns how to give them back.
func (r *Router) lock(list ...Address) (unlock func()) {
	var held [2]int
	n := 0
	for _, a := range list {
		i := int(maphash.Comparable(r.seed, a) % uint64(len(r.books)))
		if n == 0 || held[0] != i {
			held[n] = i
			n++
		}
	}
	if n == 2 && held[0] > held[1] {
		held[0], held[1] = held[1], held[0]
	}
	for _, i := range held[:n] {
		r.books[i].Lock()
	}
	return func() {
		for _, i := range held[:n] {
			r.books[i].Unlock()
		}
	}
}

// party is an account of this server, or the name of one that there is not.
type party struct {
	Address
	id     identity.UserID
	exists bool
}

func (s *Stream) party() party { return party{s.res.Address, s.res.owner, s.res.owner != ""} }

func (p party) owner() Owner { return Owner{p.Address, p.id} }

// party finds the account of a bare JID of ours. Aliases are names to log in with, not addresses.
func (r *Router) party(ctx context.Context, a Address) (party, error) {
	r.mu.RLock()
	var id identity.UserID
	if list := r.bound[a]; len(list) > 0 {
		id = list[0].res.owner
	}
	r.mu.RUnlock()
	if id != "" {
		return party{a, id, true}, nil
	}
	acc, err := r.accounts.User(ctx, a.String())
	switch {
	case errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrInvalid) || errors.Is(err, identity.ErrHidden):
		return party{Address: a}, nil
	case err != nil:
		return party{}, fmt.Errorf("looking up %s: %w", a, err)
	case string(acc.Login) != a.local || acc.Domain != a.domain || acc.State == identity.UserDeleted:
		return party{Address: a}, nil
	}
	return party{a, acc.ID, true}, nil
}

// refuse answers that there is no such thing: the same for what is not there, what is not built
// and what the session's level does not allow. Errors and results are never answered
// (RFC 6120 section 8.3.1).
func (r *Router) refuse(s *Stream, st *Stanza) {
	r.fail(s, st, xstanza.ServiceUnavailable, xstanza.Cancel)
}

// fail answers an error to what is no error or result itself.
func (r *Router) fail(s *Stream, st *Stanza, cond xstanza.Condition, typ xstanza.ErrorType) {
	if st.Type == "error" || st.Kind == KindIQ && st.Type == "result" {
		return
	}
	s.Put(st.Failure(cond, typ))
}

// broken logs an error of store or identity and answers that it is the server's fault and may
// pass.
func (r *Router) broken(s *Stream, st *Stanza, err error) {
	r.log.Error("stanza not handled", "kind", string(st.Kind), slog.Any("", s.ses), "error", err)
	r.fail(s, st, xstanza.InternalServerError, xstanza.Wait)
}
