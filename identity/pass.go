package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Numbers of passes.
const (
	passLife    = time.Minute // of one that nobody uses
	passRate    = 30          // that one person gets within passWindow: a page whose network breaks asks again and again
	passWindow  = 5 * time.Minute
	maxPassKeys = 8 // open ones of one browser session; past it the oldest gives way
	passPrefix  = "chat-pass:"
)

// A pass is what the chat page of a browser session logs in with on the chat road, in the place of a
// password: good once, within a minute, and for as long as somebody is logged in on that browser
// session. All that the passes of one browser session have opened ends with its log-in. Passes are kept
// in memory, by the process that serves the page and the WebSocket both; they stand in no list of
// tokens, and to the rest of identity they are tokens.
type passes struct {
	TokenVerifier // of real tokens; nil: there are none
	now           func() time.Time

	mu        sync.Mutex           // guards what follows
	byID      map[string]*passBook // by the TokenID of their grant
	bySession map[string]*passBook // by the ID of the browser session
	byOwner   map[UserID][]*passBook
}

// passBook is the passes of one browser session.
type passBook struct {
	grant  Grant  // of each; its TokenID is the book's
	client string // what the list of sessions calls the page
	open   []openPass
}

// openPass is one that nobody has used.
type openPass struct {
	hash           [sha256.Size]byte // of the text
	stored, server []byte            // keys of SCRAM-SHA-256; nil: there is none
	until          time.Time
}

func newPasses(tokens TokenVerifier, now func() time.Time) *passes {
	return &passes{TokenVerifier: tokens, now: now, byID: map[string]*passBook{}, bySession: map[string]*passBook{}, byOwner: map[UserID][]*passBook{}}
}

// MayChat reports whether the person of a browser session could log in on the chat road now with a pass.
func (s *Service) MayChat(ses *Session) bool {
	a, ok := ses.attached()
	return ok && s.passHolds(ses, a) == nil
}

// passHolds says why a session cannot have a pass: what a log-in with it would answer.
func (s *Service) passHolds(ses *Session, a *attachment) error {
	class, c := ses.classNow(), &a.creds
	need := s.RequiredOf(ses, Resource(kindLogin+":"+string(RoadXMPP)))
	switch {
	case c.Anonymous():
		return ErrCredentials
	case c.MustChange:
		return ErrMustChange
	case !class.open(RoadXMPP):
		return ErrClassDenied
	case len(a.roads) > 0 && !slices.Contains(a.roads, RoadXMPP), !class.capped(a.held.Min(LevelCustomer)).Allows(need):
		return ErrRoadClosed
	}
	return nil
}

// ChatPass makes a pass for the browser session b, and says whose bare JID it is for; client is what the
// list of sessions calls what logs in with it. Who may not chat gets ErrRoadClosed, ErrClassDenied or
// ErrMustChange, who asks too often ErrThrottled.
func (s *Service) ChatPass(ctx context.Context, b *Browser, client string) (jid string, pass Secret, err error) {
	a, ok := b.attached()
	if !ok {
		return "", Secret{}, ErrEnded
	}
	if err := s.passHolds(b.Session, a); err != nil {
		return "", Secret{}, err
	}
	if wait := s.passRate.take(a.creds.UserID, s.now()); wait > 0 {
		return "", Secret{}, &waitError{ErrThrottled, wait}
	}
	id := s.passes.book(b.ID(), client, &a.creds)
	text := passPrefix + id + "." + rand.Text()
	open := openPass{hash: sha256.Sum256([]byte(text)), until: s.now().Add(passLife)}
	if open.stored, open.server, err = s.SCRAMKeys(ctx, a.creds.UserID, text); err != nil {
		return "", Secret{}, unavailable(ctx, err)
	}
	s.passes.add(id, open)
	// The session may have ended, or been logged out, since it was looked at.
	if now, still := b.attached(); !still || now.creds.UserID != a.creds.UserID || !b.Current() {
		s.endPasses(b.ID(), Reason{Code: ReasonEnded})
		return "", Secret{}, ErrEnded
	}
	return a.creds.BareJID(), NewSecret(text), nil
}

// endPasses ends what the passes of a browser session have opened.
func (s *Service) endPasses(session string, why Reason) {
	id := s.passes.drop(session)
	if id == "" || why.Code == ReasonShutdown {
		return
	}
	s.wait() // for log-ins that have found the pass good
	for list := s.Registry.ofToken(id); len(list) > 0; list = s.Registry.ofToken(id) {
		s.Registry.finish(list, Reason{Code: ReasonRevoked, Text: "the browser session of the chat page has ended", By: why.By}, true)
	}
}

// redeem uses the pass of a grant up; a token stays as it is. Of two who come with one pass, one gets in.
func (p *passes) redeem(g *Grant) error {
	if g == nil || g.pass == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	book := p.byID[g.TokenID]
	if book == nil {
		return ErrCredentials
	}
	i := slices.IndexFunc(book.open, func(o openPass) bool { return o.hash == *g.pass })
	if i < 0 || !p.now().Before(book.open[i].until) {
		return ErrCredentials
	}
	book.open = slices.Delete(book.open, i, i+1)
	return nil
}

// book is the ID of the passes of a browser session, which has them from now on.
func (p *passes) book(session, client string, c *Credentials) (id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	book := p.bySession[session]
	if book == nil {
		book = &passBook{client: client, grant: Grant{TokenID: "pass-" + newID(), User: c.UserID,
			JID: c.BareJID(), Roads: []Road{RoadXMPP}, Files: FilesWrite, Passing: true}}
		p.bySession[session], p.byID[book.grant.TokenID] = book, book
		p.byOwner[c.UserID] = append(slices.Clone(p.byOwner[c.UserID]), book)
	}
	return book.grant.TokenID
}

// add keeps a pass, where the log-in that it hangs on has not ended.
func (p *passes) add(id string, open openPass) {
	p.mu.Lock()
	defer p.mu.Unlock()
	book := p.byID[id]
	if book == nil {
		return
	}
	now := p.now()
	book.open = slices.DeleteFunc(book.open, func(o openPass) bool { return !now.Before(o.until) })
	if len(book.open) >= maxPassKeys {
		book.open = slices.Delete(book.open, 0, 1)
	}
	book.open = append(book.open, open)
}

// drop forgets the passes of a browser session; "" where it had none.
func (p *passes) drop(session string) (id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	book := p.bySession[session]
	if book == nil {
		return ""
	}
	owner := book.grant.User
	delete(p.bySession, session)
	delete(p.byID, book.grant.TokenID)
	p.byOwner[owner] = slices.DeleteFunc(slices.Clone(p.byOwner[owner]), func(b *passBook) bool { return b == book })
	if len(p.byOwner[owner]) == 0 {
		delete(p.byOwner, owner)
	}
	return book.grant.TokenID
}

// of is the grant of one pass.
func (b *passBook) of(o openPass) Grant {
	g := b.grant
	g.pass = &o.hash
	return g
}

func isPass(text Secret) bool { return strings.HasPrefix(text.Reveal(), passPrefix) }

// IsToken implements TokenVerifier.
func (p *passes) IsToken(text Secret) bool {
	return isPass(text) || p.TokenVerifier != nil && p.TokenVerifier.IsToken(text)
}

// VerifyToken implements TokenVerifier. What it finds good is not used up by that (redeem).
func (p *passes) VerifyToken(ctx context.Context, text Secret, remote string) (Grant, error) {
	switch {
	case !isPass(text) && p.TokenVerifier == nil:
		return Grant{}, ErrCredentials
	case !isPass(text):
		return p.TokenVerifier.VerifyToken(ctx, text, remote)
	}
	sum := sha256.Sum256([]byte(text.Reveal()))
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	id, _, _ := strings.Cut(strings.TrimPrefix(text.Reveal(), passPrefix), ".")
	if book := p.byID[id]; book != nil {
		for _, o := range book.open {
			if subtle.ConstantTimeCompare(o.hash[:], sum[:]) == 1 && now.Before(o.until) {
				return book.of(o), nil
			}
		}
	}
	return Grant{}, ErrCredentials
}

// TokenKeys implements TokenVerifier: the passes come first.
func (p *passes) TokenKeys(ctx context.Context, user UserID, remote string) ([]TokenKey, error) {
	var keys []TokenKey
	p.mu.Lock()
	now := p.now()
	for _, book := range p.byOwner[user] {
		for _, o := range book.open {
			if o.stored != nil && now.Before(o.until) {
				keys = append(keys, TokenKey{Grant: book.of(o), StoredKey: o.stored, ServerKey: o.server})
			}
		}
	}
	p.mu.Unlock()
	if p.TokenVerifier == nil {
		return keys, nil
	}
	more, err := p.TokenVerifier.TokenKeys(ctx, user, remote)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return append(keys, more...), err
}

// TokenValid implements TokenVerifier.
func (p *passes) TokenValid(ctx context.Context, id string) error {
	p.mu.Lock()
	_, ok := p.byID[id]
	p.mu.Unlock()
	switch {
	case ok:
		return nil
	case p.TokenVerifier == nil:
		return ErrNotFound
	}
	return p.TokenVerifier.TokenValid(ctx, id)
}

// TokenUsed implements TokenVerifier. Of a pass the session is told what has opened it.
func (p *passes) TokenUsed(ctx context.Context, id string, at time.Time, ses *Session) {
	p.mu.Lock()
	book := p.byID[id]
	p.mu.Unlock()
	switch {
	case book != nil && ses != nil && book.client != "":
		ses.Update(func(d *Details) { d.UserAgent = book.client })
	case book == nil && p.TokenVerifier != nil:
		p.TokenVerifier.TokenUsed(ctx, id, at, ses)
	}
}
