// Package last says when somebody was last there (XEP-0012 2.0), to those who see their presence. To
// all others it answers as if there were nobody, and not forbidden as section 3 has it: that would
// tell which accounts exist.
package last

import (
	"context"
	"encoding/xml"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"trivium/identity"
	"trivium/xmpp"
)

const ns = "jabber:iq:last"

// Bounds of what is kept in memory.
const (
	maxKept   = 50_000 // accounts; those that left the longest ago are forgotten
	maxStatus = 256    // bytes
)

// Accounts is what the module needs of identity.
type Accounts interface {
	UserByID(ctx context.Context, id identity.UserID) (identity.Account, error)
}

// Last is the module. What it has seen since the start it knows exactly; of those who have not been
// there since it takes the time of their last log-in.
type Last struct {
	accounts Accounts
	router   *xmpp.Router

	mu   sync.Mutex
	left map[identity.UserID]departure
	old  map[identity.UserID]departure // of before the last time that left was full
}

// departure is when and with what words somebody left.
type departure struct {
	at     time.Time
	status string
}

// New makes the module.
func New(a Accounts) *Last { return &Last{accounts: a, left: make(map[identity.UserID]departure)} }

// Register implements xmpp.Module.
func (l *Last) Register(reg *xmpp.Registrar) {
	l.router = reg.Router
	service := xmpp.Service{Name: xml.Name{Space: ns, Local: "query"}, Resource: "xmpp:last", Answer: l.answer}
	for _, to := range []xmpp.Target{xmpp.ToAccount, xmpp.ToSelf} {
		service.To = to
		reg.Serve(service)
	}
	reg.Presence(func(_ context.Context, p *xmpp.Presence) {
		if !p.Available {
			l.gone(p.By.Owner().ID, statusOf(p.Stanza))
		}
	})
	reg.Removed(func(_ context.Context, id identity.UserID) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.left, id)
		delete(l.old, id)
		return nil
	})
}

// statusOf is what somebody said when they left.
func statusOf(st *xmpp.Stanza) string {
	el, ok := st.Only("jabber:client", "status")
	if !ok {
		return ""
	}
	text, _ := el.Text()
	for len(text) > maxStatus {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return text
}

// gone notes that a resource has become unavailable; of several the last one counts.
func (l *Last) gone(id identity.UserID, status string) {
	if id == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.left) >= maxKept/2 {
		l.old, l.left = l.left, make(map[identity.UserID]departure)
	}
	l.left[id] = departure{l.router.Now(), status}
}

// answer is section 3. Somebody who is there has left no time ago.
func (l *Last) answer(ctx context.Context, q *xmpp.Request) {
	if q.Account.ID == "" || !l.router.Sees(ctx, q.By.Owner().Address, q.Account) {
		q.Refuse()
		return
	}
	if len(l.router.AvailableStreams(nil, q.Account.Address)) > 0 {
		q.Result("<query xmlns='" + ns + "' seconds='0'/>")
		return
	}
	l.mu.Lock()
	d, ok := l.left[q.Account.ID]
	if !ok {
		d, ok = l.old[q.Account.ID]
	}
	l.mu.Unlock()
	if !ok {
		acc, err := l.accounts.UserByID(ctx, q.Account.ID)
		if err != nil {
			q.Broken(err)
			return
		}
		if d.at = acc.LastLogin; d.at.IsZero() {
			d.at = acc.CreatedAt // never: not before there was an account
		}
	}
	seconds := max(int64(l.router.Now().Sub(d.at)/time.Second), 0)
	q.Result("<query xmlns='" + ns + "' seconds='" + strconv.FormatInt(seconds, 10) + "'>" + xmpp.Escape(d.status) + "</query>")
}
