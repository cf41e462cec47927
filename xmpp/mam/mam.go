package mam

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// Archive is the module.
type Archive struct {
	store  Store
	wire   Wire
	log    *slog.Logger
	router *xmpp.Router
	prefs  prefsCache
	turns  turns
	days   int
	keep   int
	gone   func(ctx context.Context, id identity.UserID) (bool, error)
}

// Options are what New takes.
type Options struct {
	Store Store
	Days  int // that messages are kept; 0: for ever
	Keep  int // messages that each account keeps at most, the newest; 0: no limit
	// Gone reports whether an account is there no more; its archive goes. nil: none is.
	Gone func(ctx context.Context, id identity.UserID) (bool, error)
	Log  *slog.Logger
}

// New makes the module.
func New(ctx context.Context, o Options) (*Archive, error) {
	key, err := o.Store.Key(ctx)
	if err != nil {
		return nil, err
	}
	wire, err := NewWire(key)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Archive{store: o.Store, wire: wire, log: o.Log, days: o.Days, keep: o.Keep, gone: o.Gone}, nil
}

// Close waits for the queries in work, once the streams of those who asked have ended.
func (a *Archive) Close() { a.turns.group.Wait() }

// Register implements xmpp.Module.
func (a *Archive) Register(reg *xmpp.Registrar) {
	a.router = reg.Router
	reg.Accept(a.accept)
	const resource = "xmpp:archive"
	reg.Serve(
		xmpp.Service{To: xmpp.ToSelf, Name: xml.Name{Space: ns, Local: "query"}, Resource: resource, Set: true, Answer: a.query},
		xmpp.Service{To: xmpp.ToSelf, Name: xml.Name{Space: ns, Local: "metadata"}, Resource: resource, Answer: a.metadata},
		xmpp.Service{To: xmpp.ToSelf, Name: xml.Name{Space: ns, Local: "prefs"}, Resource: resource, Set: true, Answer: a.prefsIQ},
	)
	reg.Feature(xmpp.ToSelf, nsExtended, nsGroupchat, nsSID, nsFulltext, nsRetract, nsTombstone)
	reg.Feature(xmpp.ToServer, nsRetract)
	// XEP-0386 section 3.2: whoever binds hears how the archive stands at this moment.
	reg.Bind(xml.Name{}, func(ctx context.Context, s *xmpp.Stream, _ *xmpp.Element) []byte {
		owner := s.Owner()
		if owner.ID == "" || !a.router.Allowed(s.Session(), resource) {
			return nil
		}
		b, err := a.bounds(ctx, owner.ID)
		if err != nil {
			a.log.Error("state of the archive not told", slog.Any("", s.Session()), "error", err)
			return nil
		}
		return b
	})
	reg.Removed(func(ctx context.Context, id identity.UserID) error {
		a.prefs.forget(id)
		return a.store.Remove(ctx, id)
	})
}

// sentAgainWithin is how long after a message without origin-id the same one is taken for a copy.
const sentAgainWithin = 5 * time.Minute

// accept puts a message into the archives of both sides.
func (a *Archive) accept(ctx context.Context, m *xmpp.Message) {
	if !worth(m) {
		return
	}
	from, to := xmpp.AddressOf(m.From), m.Recipient.Address
	if m.To.Domainpart() != "" {
		to = xmpp.AddressOf(m.To)
	}
	msg := Message{FromJID: from.String(), ToJID: to.String()}
	var err error
	if msg.From, err = a.wanted(ctx, m.Sender, m.To, to); err == nil {
		msg.To, err = a.wanted(ctx, m.Recipient, m.From, from)
	}
	if err != nil {
		// What the account wants is not known: rather one message too many than one lost.
		a.log.Error("preferences of an archive not read", "error", err)
		msg.From, msg.To = m.Sender.ID, m.Recipient.ID
	}
	if msg.From == "" && msg.To == "" {
		return
	}
	msg.Stanza = m.Plain()
	hold := m.Hold()
	var only bool
	if msg.Origin, only = originOf(m); !only {
		// Many clients count their ids anew at each log-in. Such an id says something only where the
		// client acknowledges (XEP-0198), as it then may send again what it has just sent.
		msg.Content, msg.Since = len(msg.Stanza)-openEnd(msg.Stanza), FirstAt(time.Now().Add(-sentAgainWithin))
		if hold == (xmpp.Hold{}) {
			msg.Since = math.MaxInt64
		}
	}
	r, err := a.store.Put(ctx, msg, func(err error) {
		if err != nil {
			hold.Failed()
			return
		}
		hold.Done()
	})
	if err != nil {
		if !errors.Is(err, ErrClosed) && ctx.Err() == nil {
			a.log.Error("message not archived", "error", err)
		}
		if hold != (xmpp.Hold{}) && !errors.Is(err, ErrClosed) {
			hold.Failed()
			m.Drop() // the client sends it again
		}
		return
	}
	if msg.To != "" {
		m.Kept = true
		m.Add(a.stanzaID(m.Recipient, r.ID))
		if r.Again && only { // by any other id it may yet be another one
			m.Drop()
			return
		}
	}
	if msg.From != "" {
		m.AddOwn(a.stanzaID(m.Sender, r.ID))
	}
	if !r.Again && m.Has(nsRetract, "retract") {
		a.retract(ctx, m, msg)
	}
}

// stanzaID says under which id a message is in the archive of an account (XEP-0359 section 3.1).
func (a *Archive) stanzaID(owner xmpp.Owner, id ID) string {
	b := make([]byte, 0, 128)
	b = append(b, "<stanza-id xmlns='"+nsSID+"'"...)
	b = xmpp.AppendAttr(b, "by", owner.String())
	b = xmpp.AppendAttr(b, "id", a.wire.Text(owner.ID, id))
	return string(append(b, "/>"...))
}

const (
	sweepEach = time.Hour
	// sweepPause keeps what is removed behind from holding up what is written.
	sweepPause = 50 * time.Millisecond
)

// Run removes what is too old, too much or nobody's, until ctx ends.
func (a *Archive) Run(ctx context.Context) {
	next := time.NewTimer(sweepPause)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		more, err := a.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.Error("archive not swept", "error", err)
		}
		next.Reset(sweepEach)
		if more && err == nil {
			next.Reset(sweepPause)
		}
	}
}

// Sweep does a step of what Run does; more says that another is due. The archives of accounts that
// are there no more go in the last step.
func (a *Archive) Sweep(ctx context.Context) (more bool, err error) {
	var before time.Time
	if a.days > 0 {
		before = time.Now().AddDate(0, 0, -a.days)
	}
	if more, err = a.store.Expire(ctx, before, a.keep); more || err != nil || a.gone == nil {
		return more, err
	}
	return false, a.store.Owners(ctx, func(id identity.UserID) error {
		gone, err := a.gone(ctx, id)
		if err != nil || !gone {
			return err
		}
		a.prefs.forget(id)
		if err := a.store.Remove(ctx, id); err != nil {
			return fmt.Errorf("removing an archive: %w", err)
		}
		return nil
	})
}
