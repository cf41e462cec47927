package xmpp

import "testing"

// The nine states of RFC 6121 appendix A.1.
const (
	sNone      = SubscriptionNone
	sNoneOut   = PendingOut
	sNoneIn    = PendingIn
	sNoneOutIn = PendingOut | PendingIn
	sTo        = SubscriptionTo
	sToIn      = SubscriptionTo | PendingIn
	sFrom      = SubscriptionFrom
	sFromOut   = SubscriptionFrom | PendingOut
	sBoth      = SubscriptionBoth
)

var nineStates = [9]Subscription{sNone, sNoneOut, sNoneIn, sNoneOutIn, sTo, sToIn, sFrom, sFromOut, sBoth}

type row struct {
	pass bool // ROUTE? or DELIVER?
	next Subscription
}

// RFC 6121 appendix A.2, in the order of nineStates.
func TestOutboundTable(t *testing.T) {
	for r, table := range map[request][9]row{
		subscribe: {{true, sNoneOut}, {true, sNoneOut}, {true, sNoneOutIn}, {true, sNoneOutIn},
			{true, sTo}, {true, sToIn}, {true, sFromOut}, {true, sFromOut}, {true, sBoth}},
		unsubscribe: {{true, sNone}, {true, sNone}, {true, sNoneIn}, {true, sNoneIn},
			{true, sNone}, {true, sNoneIn}, {true, sFrom}, {true, sFrom}, {true, sFrom}},
		subscribed: {{false, sNone | PreApproved}, {false, sNoneOut | PreApproved}, {true, sFrom}, {true, sFromOut},
			{false, sTo | PreApproved}, {true, sBoth}, {false, sFrom}, {false, sFromOut}, {false, sBoth}},
		unsubscribed: {{false, sNone}, {false, sNoneOut}, {true, sNone}, {true, sNoneOut},
			{false, sTo}, {true, sTo}, {true, sNone}, {true, sNoneOut}, {true, sTo}},
	} {
		for i, want := range table {
			next, route := nineStates[i].outbound(r)
			if next != want.next || route != want.pass {
				t.Errorf("outbound %s in state %05b: %05b, route %v; want %05b, %v", r, nineStates[i], next, route, want.next, want.pass)
			}
		}
	}
}

// RFC 6121 appendix A.3, in the order of nineStates.
func TestInboundTable(t *testing.T) {
	for r, table := range map[request][9]row{
		subscribe: {{true, sNoneIn}, {true, sNoneOutIn}, {false, sNoneIn}, {false, sNoneOutIn},
			{true, sToIn}, {false, sToIn}, {false, sFrom}, {false, sFromOut}, {false, sBoth}},
		unsubscribe: {{false, sNone}, {false, sNoneOut}, {true, sNone}, {true, sNoneOut},
			{false, sTo}, {true, sTo}, {true, sNone}, {true, sNoneOut}, {true, sTo}},
		subscribed: {{false, sNone}, {true, sTo}, {false, sNoneIn}, {true, sToIn},
			{false, sTo}, {false, sToIn}, {false, sFrom}, {true, sBoth}, {false, sBoth}},
		unsubscribed: {{false, sNone}, {true, sNone}, {false, sNoneIn}, {true, sNoneIn},
			{true, sNone}, {true, sNoneIn}, {false, sFrom}, {true, sFrom}, {true, sFrom}},
	} {
		for i, want := range table {
			next, deliver, grant := nineStates[i].inbound(r)
			if next != want.next || deliver != want.pass {
				t.Errorf("inbound %s in state %05b: %05b, deliver %v; want %05b, %v", r, nineStates[i], next, deliver, want.next, want.pass)
			}
			// The note of table A.3.1: a contact that is subscribed already gets the answer again.
			if wantGrant := r == subscribe && nineStates[i].Has(sFrom); grant != wantGrant {
				t.Errorf("inbound %s in state %05b grants %v", r, nineStates[i], grant)
			}
		}
	}
}

// RFC 6121 section 3.4: pre-approval is used by a request and cancelled by `unsubscribed`.
func TestPreApproval(t *testing.T) {
	for _, s := range []Subscription{sNone, sNoneOut, sTo} {
		next, deliver, grant := (s | PreApproved).inbound(subscribe)
		if deliver || !grant || !next.Has(SubscriptionFrom) || next.Has(PendingIn) {
			t.Errorf("request in pre-approved %05b: %05b deliver %v grant %v", s, next, deliver, grant)
		}
		if next, route := (s | PreApproved).outbound(unsubscribed); route || next != s {
			t.Errorf("cancelling in %05b: %05b route %v", s, next, route)
		}
	}
}
