// Package offline keeps messages for accounts of which nobody is there (XEP-0160 1.0.1) until a
// client has them, in a flood when it comes, or one by one as it asks (XEP-0013 1.2).
package offline

import (
	"context"
	"encoding/xml"
	"errors"
	"log/slog"
	"sync"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

const (
	ns       = "http://jabber.org/protocol/offline"
	feature  = "msgoffline"
	nsClient = "jabber:client"
	reason   = "Offline Storage" // of the delay
)

// ErrFull is said of an account that has as many messages as it may have.
var ErrFull = errors.New("too many messages wait for this account")

// Waiting is a message that waits.
type Waiting struct {
	ID     int64           // grows with each message; the store gives it
	Owner  identity.UserID // for Keep
	From   string
	At     time.Time // when it came, to the microsecond
	Stanza []byte    // as it is delivered, but for its delay
}

// Store is what offline needs of a database.
type Store interface {
	// Keep adds messages in their order, in one transaction, but for those whose owner has max
	// already: for each it says whether it was kept. They are durable when the error is nil.
	Keep(ctx context.Context, list []Waiting, max int) (kept []bool, err error)
	// Wait lists at most n messages with IDs above after, in the order of their IDs.
	Wait(ctx context.Context, owner identity.UserID, after int64, n int) ([]Waiting, error)
	// Count says how many wait.
	Count(ctx context.Context, owner identity.UserID) (int, error)
	// Drop removes messages by ID; those that are not there are no error.
	Drop(ctx context.Context, owner identity.UserID, ids ...int64) error
	// DropAll removes all up to an ID and returns how many they were.
	DropAll(ctx context.Context, owner identity.UserID, upTo int64) (int, error)
}

// Options is what New needs.
type Options struct {
	Store Store
	Max   int // messages of one account
}

// Offline is the module.
type Offline struct {
	store  Store
	max    int
	router *xmpp.Router
	log    *slog.Logger
	seen   xmpp.Flag // the client has had its flood, or wants none
	asks   xmpp.Flag // the client asks for each (XEP-0013)

	keeper keeper

	mu     sync.Mutex
	floods map[identity.UserID]*flood // which client is being given what waits
	none   none
	gone   removed
}

// New makes the module.
func New(o Options) *Offline {
	return &Offline{store: o.Store, max: o.Max, floods: map[identity.UserID]*flood{}}
}

// Register implements xmpp.Module.
func (o *Offline) Register(reg *xmpp.Registrar) {
	o.router, o.log = reg.Router, reg.Log()
	o.seen, o.asks = reg.Flag(), reg.Flag()
	o.keeper.o = o
	o.keeper.room = sync.NewCond(&o.keeper.mu)
	reg.Delivered(o.delivered)
	reg.Undelivered(o.undelivered)
	reg.Presence(o.presence)
	reg.Down(o.down)
	reg.Removed(o.forget)
	reg.Feature(xmpp.ToServer, feature, ns)
	reg.Nodes(xmpp.ToSelf, o)
	reg.Serve(xmpp.Service{To: xmpp.ToSelf, Name: xml.Name{Space: ns, Local: "offline"}, Resource: "xmpp:message", Set: true, Answer: o.retrieve})
}

// delivered keeps what has reached nobody.
func (o *Offline) delivered(ctx context.Context, m *xmpp.Message) {
	if len(m.Reached) > 0 || m.Recipient.ID == "" || !Storable(&m.Element, m.Type) ||
		m.Asks(xmpp.HintNoStore) || m.Asks(xmpp.HintNoPermanentStore) {
		return
	}
	w := Waiting{Owner: m.Recipient.ID, From: m.From.String(), At: o.router.Now(), Stanza: m.Bytes()}
	if m.Kept { // the archive has it: that the list is full is no error, and nobody waits
		o.keeper.put(w, m.Recipient, m.Hold())
		return
	}
	switch err := o.keep(ctx, w, o.max); {
	case err == nil:
		m.Kept = true
		o.late(ctx, m.Recipient)
	case errors.Is(err, ErrFull):
		// The archive may have it; else the sender hears that nobody is there (section 2).
	default:
		o.log.Error("a message was not kept", "user", m.Recipient.String(), "error", err)
	}
}

// undelivered keeps what was in the queue of a client that has gone for good; another client of
// the account that is there gets it now.
func (o *Offline) undelivered(ctx context.Context, s *xmpp.Stream, st *xmpp.Stanza) {
	owner := s.Owner()
	// What a copy forwards its original has; what has waited before waits still.
	if owner.ID == "" || !Storable(&st.Element, st.Type) || xmpp.AddressOf(st.From) == owner.Address || waited(st, owner) {
		return
	}
	// The sender has been told that it is on its way, so that a full list is no reason to lose it:
	// there is room again for as much as one queue holds, mostly.
	w := Waiting{Owner: owner.ID, From: st.From.String(), At: o.router.Now(), Stanza: st.Bytes()}
	if err := o.keep(ctx, w, 2*o.max); err != nil {
		o.log.Error("a message was not kept", "user", owner.String(), "error", err)
		return
	}
	o.late(ctx, owner)
}

// waited reports whether the message was put by a flood of the owner's.
func waited(st *xmpp.Stanza, owner xmpp.Owner) bool {
	for _, c := range st.Children {
		if c.Name.Space != "urn:xmpp:delay" || c.Name.Local != "delay" {
			continue
		}
		if el, err := st.Child(c); err == nil {
			from, _ := el.Attr("from") // no client can say this, see xmpp's outgoing
			if text, _ := el.Text(); text == reason && from == owner.Domain() {
				return true
			}
		}
	}
	return false
}

func (o *Offline) keep(ctx context.Context, w Waiting, max int) error {
	kept, err := o.write(ctx, []Waiting{w}, max)
	if err == nil && !kept[0] {
		err = ErrFull
	}
	return err
}

// Storable reports whether a message is worth keeping (section 3): what a person would miss, or a
// device needs; no chat states alone, no errors, headlines and rooms.
func Storable(el *xmpp.Element, typ string) bool {
	switch typ {
	case "", "normal", "chat":
	default:
		return false
	}
	for _, c := range el.Children {
		switch c.Name.Space {
		case "http://jabber.org/protocol/chatstates", "urn:xmpp:hints", "urn:xmpp:sid:0", "urn:xmpp:delay",
			"http://jabber.org/protocol/pubsub#event":
		case nsClient:
			if c.Name.Local != "thread" {
				return true
			}
		default:
			return true
		}
	}
	return false
}
