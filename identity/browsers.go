package identity

import (
	"container/list"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Bounds of anonymous browser sessions, which live in memory and cost whoever opens them
// nothing.
const (
	maxAnonymousPerPrefix = 200
	maxAnonymous          = 20000
)

// browsers finds browser sessions by the selector of their cookie.
type browsers struct {
	// mu guards what follows and all records. It is taken after browserRecord.change and before
	// Session.mu, never together with Registry.mu.
	mu         sync.Mutex
	bySelector map[string]*browserRecord
	anonymous  *list.List                  // of *browserRecord, oldest first
	byPrefix   map[netip.Prefix]*list.List // the same by address
}

// browserRecord is what a browser session has beside its Session.
type browserRecord struct {
	session *Session
	all     *browsers
	referer string

	change sync.Mutex // held over a change of level, so that they come one after the other

	// Guarded by browsers.mu.
	cookieState
	passing
	stored      bool      // has a row, or is just getting one
	dirty       bool      // its row is behind in more than the activity
	exchange    bool      // downgraded, and the browser does not know yet
	since       time.Time // of the last change of level
	written     time.Time // activity as of the row
	gone        bool
	data        map[string]json.RawMessage
	tzOffset    int // minutes east of UTC
	tzSet       bool
	prefix      netip.Prefix
	inAll, inBy *list.Element
}

// cookieState is what the browser's cookie stands for.
type cookieState struct {
	selector string
	hash     [sha256.Size]byte // of the secret
	csrf     string
	turn     int // another one after each change of level
	kind     CookieKind
	stay     bool
}

func newBrowsers() *browsers {
	return &browsers{bySelector: map[string]*browserRecord{}, anonymous: list.New(),
		byPrefix: map[netip.Prefix]*list.List{}}
}

// start enters a new anonymous record and returns those that are too many now.
func (b *browsers) start(rec *browserRecord) (Cookie, []*browserRecord) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.turnTo(rec, CookieAnonymous, false), b.enlist(rec)
}

// raise gives a record whose session has just logged in its new cookie; undo makes all as it was.
func (b *browsers) raise(rec *browserRecord, stay bool) (c Cookie, undo func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := rec.cookieState
	b.delist(rec)
	rec.stored = true
	c = b.turnTo(rec, CookieLoggedIn, stay)
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.bySelector, rec.selector)
		rec.cookieState, rec.stored = was, false
		if !rec.gone {
			b.bySelector[rec.selector] = rec
			b.enlist(rec)
		}
	}
}

func (b *browsers) turnTo(rec *browserRecord, kind CookieKind, stay bool) Cookie {
	rec.passing.clear()
	secret := rand.Text()
	delete(b.bySelector, rec.selector)
	rec.selector, rec.hash, rec.csrf = rand.Text(), sha256.Sum256([]byte(secret)), rand.Text()
	rec.kind, rec.stay, rec.exchange = kind, stay, false
	rec.turn++
	rec.since = rec.session.registry.now()
	if !rec.gone {
		b.bySelector[rec.selector] = rec
	}
	c := Cookie{Kind: kind, Value: NewSecret(rec.selector + "." + secret)}
	if stay {
		c.MaxAge = maxCookieAge
	}
	return c
}

// maxCookieAge is how long a browser keeps the cookie of who asked to stay logged in: browsers
// cap it there themselves (RFC 6265bis section 5.5). The session's own time-out ends it earlier.
const maxCookieAge = 400 * 24 * time.Hour

// lower makes the record anonymous, under its old cookie until that is exchanged. What the
// application kept for the person goes.
func (b *browsers) lower(rec *browserRecord) []*browserRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	rec.kind, rec.stored, rec.dirty, rec.exchange, rec.data = CookieAnonymous, false, false, true, nil
	rec.passing.clear()
	rec.turn++
	rec.csrf = rand.Text()
	rec.since = rec.session.registry.now()
	return b.enlist(rec)
}

// renew gives an anonymous record a new cookie.
func (b *browsers) renew(rec *browserRecord) Cookie {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.turnTo(rec, CookieAnonymous, false)
}

// exchange gives a new cookie to a record that was lowered behind the browser's back.
func (b *browsers) exchange(rec *browserRecord) *Cookie {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !rec.exchange {
		return nil
	}
	c := b.turnTo(rec, CookieAnonymous, false)
	return &c
}

// enlist counts an anonymous record and returns the oldest where they are too many.
func (b *browsers) enlist(rec *browserRecord) (surplus []*browserRecord) {
	if rec.gone || rec.inAll != nil {
		return nil
	}
	rec.prefix = BlockOf(rec.session.Remote().Addr())
	by := b.byPrefix[rec.prefix]
	if by == nil {
		by = list.New()
		b.byPrefix[rec.prefix] = by
	}
	rec.inAll, rec.inBy = b.anonymous.PushBack(rec), by.PushBack(rec)
	if by.Len() > maxAnonymousPerPrefix {
		surplus = append(surplus, by.Front().Value.(*browserRecord))
	} else if b.anonymous.Len() > maxAnonymous {
		surplus = append(surplus, b.anonymous.Front().Value.(*browserRecord))
	}
	return surplus
}

func (b *browsers) delist(rec *browserRecord) {
	if rec.inAll == nil {
		return
	}
	b.anonymous.Remove(rec.inAll)
	by := b.byPrefix[rec.prefix]
	if by.Remove(rec.inBy); by.Len() == 0 {
		delete(b.byPrefix, rec.prefix)
	}
	rec.inAll, rec.inBy = nil, nil
}

// remove forgets a record whose session has ended, and says whether it may have a row.
func (b *browsers) remove(rec *browserRecord) (stored bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delist(rec)
	delete(b.bySelector, rec.selector)
	rec.passing.clear()
	rec.gone = true
	return rec.stored
}

// find returns the record that a cookie names, with the right secret and of its kind.
func (b *browsers) find(kind CookieKind, value Secret) *browserRecord {
	selector, secret, ok := strings.Cut(value.Reveal(), ".")
	if !ok {
		return nil
	}
	hash := sha256.Sum256([]byte(secret))
	b.mu.Lock()
	rec := b.bySelector[selector]
	var want [sha256.Size]byte
	fits := false
	if rec != nil {
		want = rec.hash
		fits = rec.kind == kind || rec.exchange && kind == CookieLoggedIn
	}
	b.mu.Unlock()
	if rec == nil || !fits || subtle.ConstantTimeCompare(hash[:], want[:]) != 1 || rec.session.endedNow() {
		return nil
	}
	// A log-in has just succeeded on it, and its new cookie is on the way: the anonymous one,
	// which a stranger may have planted, is worth nothing any more.
	if a, in := rec.session.attached(); kind == CookieAnonymous && in && !a.creds.Anonymous() {
		return nil
	}
	return rec
}

func (b *browsers) view(rec *browserRecord) *Browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Browser{Session: rec.session, record: rec, turn: rec.turn}
}

func (b *browsers) kind(rec *browserRecord) CookieKind {
	k, _ := b.since(rec)
	return k
}

func (b *browsers) since(rec *browserRecord) (CookieKind, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return rec.kind, rec.since
}

// touch notes that the row is behind.
func (rec *browserRecord) touch() {
	rec.all.mu.Lock()
	defer rec.all.mu.Unlock()
	rec.dirty = true
}

// records returns all records there are.
func (b *browsers) records() []*browserRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]*browserRecord, 0, len(b.bySelector))
	for _, rec := range b.bySelector {
		out = append(out, rec)
	}
	return out
}

// row is the record as it is stored; false where it has no row any more.
func (b *browsers) row(rec *browserRecord) (BrowserRow, bool) {
	ses := rec.session
	a, in := ses.attached()
	details, remote := ses.Details(), addrText(ses.Remote())
	b.mu.Lock()
	defer b.mu.Unlock()
	if !in || a.creds.Anonymous() || rec.gone || !rec.stored {
		return BrowserRow{}, false
	}
	row := BrowserRow{
		ID: ses.id, Selector: rec.selector, SecretHash: rec.hash[:], User: a.creds.UserID,
		OrigUser: a.creds.OrigUser, Method: a.method, Factor: a.factor, CredentialVersion: a.creds.CredentialVersion,
		CSRF: rec.csrf, Stay: rec.stay, Remote: remote, Local: addrText(ses.local), TLS: details.TLS,
		UserAgent: details.UserAgent, Referer: rec.referer, Lang: details.Lang,
		StartedAt: ses.started, LoginAt: a.creds.LoginAt, LastActivity: ses.LastActivity(),
		TZOffset: rec.tzOffset, TZSet: rec.tzSet,
	}
	a.cert.row(&row)
	if len(rec.data) > 0 {
		row.Data, _ = json.Marshal(rec.data) // made of what Marshal gave
	}
	rec.dirty, rec.written = false, row.LastActivity
	return row, true
}

// behind returns the records whose rows should be written: soon where more than the activity
// has changed, else when that is a while old.
func (b *browsers) behind(everything bool) []*browserRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*browserRecord
	for _, rec := range b.bySelector {
		late := rec.session.LastActivity().Sub(rec.written)
		if rec.stored && (rec.dirty || late > activityEvery || everything && late > 0) {
			out = append(out, rec)
		}
	}
	return out
}

// activityEvery is how far the stored activity of a browser session may be behind.
const activityEvery = time.Minute

// flushBrowsers writes the rows that are behind.
func (s *Service) flushBrowsers(everything bool) {
	for _, rec := range s.browsers.behind(everything) {
		s.behind.push(func(ctx context.Context, w StoreWriter) error {
			row, ok := s.browsers.row(rec)
			if !ok {
				return nil
			}
			return w.PutBrowserSession(ctx, row)
		})
	}
}

// sweepBrowsers closes the idle anonymous sessions and downgrades the idle logged-in ones.
func (s *Service) sweepBrowsers() {
	for _, rec := range s.browsers.records() {
		switch {
		case !s.idle(rec):
		case s.browsers.kind(rec) == CookieAnonymous:
			s.Registry.finish([]*Session{rec.session}, Reason{Code: ReasonIdle, Text: "idle"}, true)
		default:
			s.demote(rec, Reason{Code: ReasonIdle, Text: "idle"})
		}
	}
}

// loadBrowsers lists the browser sessions that the store has, each only as far as its account
// still allows it.
func (s *Service) loadBrowsers(ctx context.Context) error {
	rows, err := s.store.BrowserSessions(ctx)
	if err != nil {
		return fmt.Errorf("reading the browser sessions: %w", err)
	}
	var dead []string
	for _, row := range rows {
		ok, err := s.loadBrowser(ctx, row)
		if err != nil {
			return fmt.Errorf("reading the browser sessions: %w", err)
		}
		if !ok {
			dead = append(dead, row.ID)
		}
	}
	if len(dead) > 0 {
		s.removeRows(dead...)
	}
	return nil
}

func (s *Service) loadBrowser(ctx context.Context, row BrowserRow) (bool, error) {
	acc, err := s.byID(ctx, row.User)
	if err != nil || acc == nil || acc.CredentialVersion != row.CredentialVersion ||
		len(row.SecretHash) != sha256.Size || s.opts.SessionTimeout > 0 && s.now().Sub(row.LastActivity) > s.opts.SessionTimeout {
		return false, err
	}
	remote, _ := netip.ParseAddrPort(row.Remote) // absent where it was
	local, _ := netip.ParseAddrPort(row.Local)
	ses, err := s.Registry.newSession(ctx, row.ID, Opening{Protocol: ProtocolWeb, Remote: remote, Local: local,
		TLS: row.TLS, UserAgent: row.UserAgent, State: StateLoggedIn})
	if err != nil {
		return false, nil // the class is closed to the web now
	}
	a, err := s.qualify(ses, acc, nil)
	if err != nil {
		return false, nil // no longer allowed
	}
	a.method, a.factor = row.Method, row.Factor
	a.certify(certifiedBy(row))
	switch err := s.certificateHolds(ctx, acc.ID, a.cert); {
	case errors.Is(err, ErrCredentials):
		return false, nil // it was removed
	case err != nil:
		return false, err
	case s.proofHolds(ses.classNow(), acc, a) != nil:
		return false, nil // a second factor is wanted now
	}
	a.creds.OrigUser, a.creds.LoginAt = row.OrigUser, row.LoginAt
	if s.age(ses, a); a.aged && !s.now().Before(a.expires) {
		return false, nil
	}
	rec := &browserRecord{session: ses, all: s.browsers, referer: row.Referer, cookieState: cookieState{
		selector: row.Selector, hash: [sha256.Size]byte(row.SecretHash), csrf: row.CSRF, turn: 1,
		kind: CookieLoggedIn, stay: row.Stay,
	}, stored: true, since: row.LoginAt, written: row.LastActivity, tzOffset: row.TZOffset, tzSet: row.TZSet}
	if len(row.Data) > 0 && json.Unmarshal(row.Data, &rec.data) != nil {
		rec.data = nil
	}
	ses.browser, ses.started, ses.details.Lang = rec, row.StartedAt, row.Lang
	ses.activity.Store(row.LastActivity.UnixNano())
	if s.Registry.add(ses) != nil {
		return false, nil // a limit is lower now
	}
	gives, err := s.Registry.attach(ses, a)
	if err != nil {
		ses.Close()
		return false, nil
	}
	s.Registry.giveWay(gives)
	s.browsers.mu.Lock()
	s.browsers.bySelector[rec.selector] = rec
	s.browsers.mu.Unlock()
	return true, nil
}
