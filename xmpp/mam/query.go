package mam

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// query answers who asks for a page of one's own archive (XEP-0313 section 4), or for what can be
// asked.
func (a *Archive) query(_ context.Context, q *xmpp.Request) {
	if q.Account.ID == "" {
		q.Refuse()
		return
	}
	if q.Type == "get" {
		q.Result(string(emptyForm()))
		return
	}
	el, err := q.Payload()
	if err != nil {
		q.Bad()
		return
	}
	r, err := a.wire.understand(q.Account.ID, el)
	if err != nil {
		fail(q, err)
		return
	}
	a.turns.enter(q.By, func() { a.answer(q, r) }, func() { q.Fail(xstanza.ResourceConstraint, xstanza.Wait) })
}

const (
	// maxAsked bounds the queries of one client that wait for their turn.
	maxAsked = 32
	// pageWithin is how long a page may take to be read.
	pageWithin = 30 * time.Second
)

// turns answers the queries of each client one after the other, in a goroutine that lives only
// while there are some. The client's reader must not do it: a page waits for room in the client's
// queue, and with XEP-0198 that comes with what the reader reads.
type turns struct {
	mu    sync.Mutex
	all   map[*xmpp.Stream][]func()
	group sync.WaitGroup
}

// enter has answer called when it is the client's turn, or full at once.
func (t *turns) enter(s *xmpp.Stream, answer, full func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting, busy := t.all[s]
	if len(waiting) >= maxAsked {
		full()
		return
	}
	if t.all == nil {
		t.all = make(map[*xmpp.Stream][]func())
	}
	t.all[s] = append(waiting, answer)
	if !busy {
		t.group.Go(func() { t.run(s) })
	}
}

func (t *turns) run(s *xmpp.Stream) {
	for {
		t.mu.Lock()
		waiting := t.all[s]
		if len(waiting) == 0 {
			delete(t.all, s)
			t.mu.Unlock()
			return
		}
		t.all[s] = waiting[1:]
		t.mu.Unlock()
		waiting[0]()
	}
}

// answer reads a page and sends it.
func (a *Archive) answer(q *xmpp.Request, r *request) {
	// The connection may be lost and found again meanwhile, so that its context says nothing.
	ctx, cancel := context.WithTimeout(context.Background(), pageWithin)
	defer cancel()
	page, err := a.store.Page(ctx, q.Account.ID, r.Query)
	if err != nil {
		fail(q, err)
		return
	}
	fin, err := a.fin(ctx, q.Account.ID, r, page)
	if err != nil {
		fail(q, err)
		return
	}
	if a.send(q, r, page.Messages) {
		q.Result(fin)
	}
}

// fail answers what a query cannot be answered for.
func fail(q *xmpp.Request, err error) {
	var w wrong
	switch {
	case errors.Is(err, identity.ErrNotFound):
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
	case errors.As(err, &w) && (w == errAbsent || w == errUnknown):
		q.Fail(xstanza.Condition(w), xstanza.Cancel)
	case errors.As(err, &w):
		q.Fail(xstanza.Condition(w), xstanza.Modify)
	default:
		q.Broken(err)
	}
}

// send puts the messages into the client's stream, as fast as the client takes them; false where it
// has gone.
func (a *Archive) send(q *xmpp.Request, r *request, list []Stored) bool {
	bare, full := q.Account.String(), q.By.FullJID()
	if r.flip { // section 4.3.4: the other order, the same messages
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	for _, m := range list {
		b := make([]byte, 0, len(m.Stanza)+512)
		b = append(b, "<message"...)
		b = xmpp.AppendAttr(b, "from", bare)
		b = xmpp.AppendAttr(b, "to", full)
		b = append(b, "><result xmlns='"+ns+"'"...)
		b = xmpp.AppendAttr(b, "queryid", r.id)
		b = xmpp.AppendAttr(b, "id", a.wire.Text(q.Account.ID, m.ID))
		b = append(b, "><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay'"...)
		b = xmpp.AppendAttr(b, "stamp", m.ID.Time().Format(stampForm))
		b = append(b, "/>"...)
		b = appendForwarded(b, m.Stanza)
		b = append(b, "</forwarded></result></message>"...)
		q.By.Room()
		if q.By.Detached() { // who comes back asks again
			q.Fail(xstanza.ResourceConstraint, xstanza.Wait)
			return false
		}
		if !q.By.Put(b) {
			return false
		}
	}
	return true
}

// appendForwarded appends a stored stanza, which leans on jabber:client as the default namespace.
func appendForwarded(b, stanza []byte) []byte {
	el, err := xmpp.ParseElement(stanza)
	if err != nil {
		return b // it was read before it was stored
	}
	if _, own := el.Attr("xmlns"); own {
		return append(b, stanza...)
	}
	name := 1
	for name < len(stanza) && stanza[name] > ' ' && stanza[name] != '/' && stanza[name] != '>' {
		name++
	}
	b = xmpp.AppendAttr(append(b, stanza[:name]...), "xmlns", nsClient)
	return append(b, stanza[name:]...)
}

// fin ends the answer (section 4.3).
func (a *Archive) fin(ctx context.Context, owner identity.UserID, r *request, page Page) (string, error) {
	b := []byte("<fin xmlns='" + ns + "'")
	if page.Complete {
		b = append(b, " complete='true'"...)
	}
	set := xmpp.ResultSet{Index: -1, Count: -1}
	if n := len(page.Messages); n > 0 {
		set.First, set.Last = a.wire.Text(owner, page.Messages[0].ID), a.wire.Text(owner, page.Messages[n-1].ID)
	}
	if r.count && !r.narrowed {
		n, err := a.store.Count(ctx, owner, r.With)
		if err != nil {
			return "", err
		}
		set.Count = n
	}
	return string(append(set.Append(append(b, '>')), "</fin>"...)), nil
}

// metadata tells of the oldest and the newest message (section 5).
func (a *Archive) metadata(ctx context.Context, q *xmpp.Request) {
	if q.Account.ID == "" {
		q.Refuse()
		return
	}
	b, err := a.bounds(ctx, q.Account.ID)
	if err != nil {
		q.Broken(err)
		return
	}
	q.Result(string(b))
}

func (a *Archive) bounds(ctx context.Context, owner identity.UserID) ([]byte, error) {
	first, last, err := a.store.Bounds(ctx, owner)
	if err != nil {
		return nil, err
	}
	b := []byte("<metadata xmlns='" + ns + "'")
	if first == 0 {
		return append(b, "/>"...), nil
	}
	b = append(b, '>')
	for _, e := range []struct {
		name string
		id   ID
	}{{"start", first}, {"end", last}} {
		b = append(append(b, '<'), e.name...)
		b = xmpp.AppendAttr(b, "id", a.wire.Text(owner, e.id))
		b = xmpp.AppendAttr(b, "timestamp", e.id.Time().Format(stampForm))
		b = append(b, "/>"...)
	}
	return append(b, "</metadata>"...), nil
}
