package register

import (
	"context"
	"encoding/xml"
	"errors"
	"strings"
	"sync"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

const (
	nsPreauth  = "urn:xmpp:pars:0"
	nsIBRToken = "urn:xmpp:ibr-token:0"
)

// maxCode bounds the token of a preauth element in bytes.
const maxCode = 256

// Invites is what the module needs of identity for people who bring an invitation.
type Invites interface {
	OpenInvitation(ctx context.Context, ses *identity.Session, code string) (*identity.OpenInvitation, error)
}

// opened are the invitations that strangers have shown on their streams, until they have used them or
// are gone.
type opened struct {
	mu sync.Mutex // guards by
	by map[*identity.Session]*identity.OpenInvitation
}

func (o *opened) put(ses *identity.Session, inv *identity.OpenInvitation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for old := range o.by { // few strangers are there at a time, by the limits of identity
		select {
		case <-old.Ended():
			delete(o.by, old)
		default:
		}
	}
	o.by[ses] = inv
}

func (o *opened) get(ses *identity.Session) *identity.OpenInvitation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.by[ses]
}

func (o *opened) drop(ses *identity.Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.by, ses)
}

// preauth is XEP-0445 section 4. The invitation is not used before the account is there, and whether
// it has expired is not asked again.
func (r *Register) preauth(ctx context.Context, q *xmpp.Stranger) []byte {
	var in struct {
		Token string `xml:"token,attr"`
	}
	if q.Type != "set" || q.DecodeChild(q.Children[0], &in) != nil || len(in.Token) > maxCode {
		return q.Failure(xstanza.BadRequest, xstanza.Modify)
	}
	inv, err := r.o.Invites.OpenInvitation(ctx, q.Session, in.Token)
	switch {
	case err == nil && (inv.Kind == identity.InviteAccount || inv.Kind == identity.InviteFirst) && inv.Domain == q.Domain:
		r.opened.put(q.Session, inv)
		return q.Result("")
	case err == nil, errors.Is(err, identity.ErrNotFound), errors.Is(err, identity.ErrExpired):
		return q.FailureText(xstanza.ItemNotFound, xstanza.Cancel, "The provided token is invalid or expired")
	case errors.Is(err, identity.ErrThrottled), errors.Is(err, identity.ErrBanned), errors.Is(err, identity.ErrBusy):
		return q.FailureText(xstanza.ResourceConstraint, xstanza.Wait, "Too many tries. Wait a while.")
	}
	return q.Failure(xstanza.InternalServerError, xstanza.Wait)
}

// redeem makes the account of an invitation, or gives the one that waits its password.
func (r *Register) redeem(ctx context.Context, q *xmpp.Stranger, inv *identity.OpenInvitation, name string, in *query) []byte {
	_, err := inv.Redeem(ctx, q.Session, name, identity.NewSecret(*in.Password), identity.Profile{Email: strings.TrimSpace(in.Email)})
	switch {
	case err == nil:
		r.opened.drop(q.Session)
		return q.Result("")
	case errors.Is(err, identity.ErrExpired):
		r.opened.drop(q.Session)
		return q.FailureText(xstanza.NotAllowed, xstanza.Cancel, "The invitation was used already.")
	}
	return r.refused(q, err)
}

// registerPreauth lets strangers show invitations.
func (r *Register) registerPreauth(reg *xmpp.Registrar) {
	if r.o.Invites != nil {
		reg.Stranger(xml.Name{Space: nsPreauth, Local: "preauth"}, "<register xmlns='"+nsIBRToken+"'/>", r.preauth)
	}
}
