// Package announce tells people in chat what administrators announce on all roads: a headline from the
// server's domain, to those who are there when the announcement begins, and to the others at the first
// presence by which a client of theirs gets messages. Each account gets each announcement once, over
// restarts too; nothing archives it.
package announce

import (
	"context"
	"slices"
	"strings"
	"sync"

	"trivium/identity"
	"trivium/xmpp"
)

// Service is what announce needs of identity.
type Service interface {
	Unannounced(ctx context.Context, ses *identity.Session, p identity.Place) ([]identity.Announcement, error)
	NoteAnnounced(ctx context.Context, a identity.Announcement, p identity.Place, owners ...identity.UserID) (fresh []identity.UserID, err error)
	Holds(id string) bool
}

// Sessions is identity's list of sessions.
type Sessions interface {
	List(f identity.Filter) []identity.Info
}

// atOnce is how many accounts are noted in one transaction.
const atOnce = 100

// Announcer is the module.
type Announcer struct {
	service  Service
	sessions Sessions
	router   *xmpp.Router

	wake  chan struct{}
	mu    sync.Mutex // guards queue
	queue []identity.Announcement
}

// New makes the module. Run has to be called.
func New(s Service, sessions Sessions) *Announcer {
	return &Announcer{service: s, sessions: sessions, wake: make(chan struct{}, 1)}
}

// Register implements xmpp.Module.
func (n *Announcer) Register(reg *xmpp.Registrar) {
	n.router = reg.Router
	greeted := reg.Flag() // what begins later finds the client in the list of sessions
	reg.Presence(func(ctx context.Context, p *xmpp.Presence) {
		switch {
		case !p.Available || p.Priority < 0: // RFC 6121 section 8.5.2.1.1: it gets no messages
			p.By.Set(greeted, false)
		case p.By.Owner().ID != "" && !p.By.Is(greeted):
			p.By.Set(greeted, n.greet(ctx, p.By))
		}
	})
}

// Begin queues an announcement for those who are in chat; it does not wait. It is for identity's
// OnAnnounce, which bounds how many there are.
func (n *Announcer) Begin(a identity.Announcement) {
	if !slices.Contains(a.Places, identity.PlaceChat) {
		return
	}
	n.mu.Lock()
	n.queue = append(n.queue, a)
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run tells what is queued, until ctx ends.
func (n *Announcer) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		for a, ok := n.next(); ok && ctx.Err() == nil; a, ok = n.next() {
			if err := n.tell(ctx, a); err != nil && ctx.Err() == nil {
				n.router.Log().Error("an announcement did not reach all", "announcement", a.ID, "error", err)
			}
		}
	}
}

func (n *Announcer) next() (a identity.Announcement, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		return a, false
	}
	a, n.queue = n.queue[0], n.queue[1:]
	return a, true
}

// tell tells those who are in chat, some accounts at a time.
func (n *Announcer) tell(ctx context.Context, a identity.Announcement) error {
	to := map[identity.UserID]string{}
	var owners []identity.UserID
	for _, i := range n.sessions.List(identity.Filter{Protocol: identity.ProtocolXMPP}) {
		if i.JID == nil || i.State != identity.StateAvailable || i.Priority != nil && *i.Priority < 0 || to[i.Owner] != "" || !a.Tells(&i) {
			continue
		}
		to[i.Owner], _, _ = strings.Cut(*i.JID, "/")
		owners = append(owners, i.Owner)
	}
	for some := range slices.Chunk(owners, atOnce) {
		if !n.service.Holds(a.ID) { // it was ended meanwhile
			return nil
		}
		fresh, err := n.service.NoteAnnounced(ctx, a, identity.PlaceChat, some...)
		if err != nil {
			return err
		}
		for _, id := range fresh {
			_, domain, _ := strings.Cut(to[id], "@")
			st, err := xmpp.ParseStanza(message(domain, to[id], a))
			if err == nil {
				err = n.router.Send(ctx, st)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// greet tells a client that has come what its account was not told yet. A fault is logged: the
// presence stands.
func (n *Announcer) greet(ctx context.Context, s *xmpp.Stream) (ok bool) {
	list, err := n.service.Unannounced(ctx, s.Session(), identity.PlaceChat)
	owner := s.Owner()
	for i := 0; i < len(list) && err == nil; i++ {
		// Another client of the account may come at the same time: one of them is told.
		var fresh []identity.UserID
		if fresh, err = n.service.NoteAnnounced(ctx, list[i], identity.PlaceChat, owner.ID); err == nil && len(fresh) > 0 {
			s.Put(message(owner.Domain(), s.JID().String(), list[i]))
		}
	}
	if err != nil {
		n.router.Log().Error("somebody was not told an announcement", "user", owner.String(), "error", err)
	}
	return err == nil
}

// message is a headline with the text in all its languages (RFC 6121 section 5.2.3).
func message(from, to string, a identity.Announcement) []byte {
	b := xmpp.AppendAttr([]byte("<message type='headline'"), "from", from)
	b = xmpp.AppendAttr(b, "to", to)
	b = append(append(append(b, "><subject>Announcement</subject><body>"...), xmpp.Escape(xmpp.CleanText(a.Text))...), "</body>"...)
	tags := make([]string, 0, len(a.Texts))
	for tag := range a.Texts {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	for _, tag := range tags {
		b = xmpp.AppendAttr(append(b, "<body"...), "xml:lang", tag)
		b = append(append(append(b, '>'), xmpp.Escape(xmpp.CleanText(a.Texts[tag]))...), "</body>"...)
	}
	return append(b, "</message>"...)
}
