package xmpp

// Subscription is where a contact stands, seen from the owner of the roster: a set of the five
// flags below. Nine combinations of the first four occur (RFC 6121 appendix A.1).
type Subscription uint8

// The flags.
const (
	SubscriptionTo   Subscription = 1 << iota // the owner sees the contact's presence
	SubscriptionFrom                          // the contact sees the owner's presence
	PendingOut                                // the owner asked and waits for the answer
	PendingIn                                 // the contact asked and waits for the answer
	PreApproved                               // the contact's request will be granted at once (RFC 6121 section 3.4)

	SubscriptionNone Subscription = 0
	SubscriptionBoth              = SubscriptionTo | SubscriptionFrom
)

// Has reports whether all of the flags are set.
func (s Subscription) Has(flags Subscription) bool { return s&flags == flags }

// text is the value of the attribute `subscription` of a roster item (RFC 6121 section 2.1.2.5).
func (s Subscription) text() string {
	switch s & SubscriptionBoth {
	case SubscriptionBoth:
		return "both"
	case SubscriptionTo:
		return "to"
	case SubscriptionFrom:
		return "from"
	}
	return "none"
}

// request is one of the four kinds of presence that manage subscriptions.
type request uint8

const (
	subscribe request = iota
	subscribed
	unsubscribe
	unsubscribed
)

// String is the value of the attribute `type`.
func (r request) String() string {
	return [...]string{"subscribe", "subscribed", "unsubscribe", "unsubscribed"}[r]
}

// requestOf reads the attribute `type` of a presence; false for all other types.
func requestOf(typ string) (request, bool) {
	for r := subscribe; r <= unsubscribed; r++ {
		if r.String() == typ {
			return r, true
		}
	}
	return 0, false
}

// outbound is what becomes of a contact when its owner sends r, and whether r goes on to the
// contact (RFC 6121 appendix A.2).
func (s Subscription) outbound(r request) (next Subscription, route bool) {
	switch r {
	case subscribe: // A.2.1: routed always, which puts two servers that disagree right again
		if !s.Has(SubscriptionTo) {
			s |= PendingOut
		}
		return s, true
	case unsubscribe: // A.2.2
		return s &^ (SubscriptionTo | PendingOut), true
	case subscribed: // A.2.3
		if s.Has(PendingIn) {
			return s&^PendingIn | SubscriptionFrom, true
		}
		if !s.Has(SubscriptionFrom) {
			s |= PreApproved
		}
		return s, false
	default: // A.2.4
		route = s&(SubscriptionFrom|PendingIn) != 0
		return s &^ (SubscriptionFrom | PendingIn | PreApproved), route
	}
}

// inbound is what becomes of a contact when it sends r to the roster's owner, whether the
// owner's clients get r, and whether the server answers `subscribed` by itself (RFC 6121
// appendix A.3).
func (s Subscription) inbound(r request) (next Subscription, deliver, grant bool) {
	switch r {
	case subscribe: // A.3.1
		switch {
		case s.Has(SubscriptionFrom):
			return s, false, true
		case s.Has(PendingIn):
			return s, false, false
		case s.Has(PreApproved): // section 3.4.2
			return s | SubscriptionFrom, false, true
		}
		return s | PendingIn, true, false
	case unsubscribe: // A.3.2
		deliver = s&(SubscriptionFrom|PendingIn) != 0
		return s &^ (SubscriptionFrom | PendingIn), deliver, false
	case subscribed: // A.3.3
		if !s.Has(PendingOut) {
			return s, false, false
		}
		return s&^PendingOut | SubscriptionTo, true, false
	default: // A.3.4
		deliver = s&(SubscriptionTo|PendingOut) != 0
		return s &^ (SubscriptionTo | PendingOut), deliver, false
	}
}
