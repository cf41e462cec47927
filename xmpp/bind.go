package xmpp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// bind answers the request for a resource (RFC 6120 section 7); bound is false where the client
// may ask again.
func (n *negotiation) bind(el *Element) (bound bool, err error) {
	st, _, err := newStanza(el)
	c, asked := st.Find(nsBind, "bind")
	if err != nil || !asked || st.Type != "set" {
		return false, &fault{xstream.NotAuthorized, "bind a resource first"}
	}
	resource, ok := resourceOf(st, c)
	if !ok {
		return false, n.write(st.Failure(xstanza.BadRequest, xstanza.Modify))
	}
	full, err := n.address(resource)
	if err != nil {
		return false, n.write(st.Failure(xstanza.BadRequest, xstanza.Modify))
	}
	// The answer has neither from nor to, as the request has none (section 7.6.1).
	reply := AppendAttr([]byte("<iq type='result'"), "id", st.ID)
	reply = fmt.Appendf(reply, "><bind xmlns='%s'><jid>%s</jid></bind></iq>", nsBind, Escape(full.String()))
	st.To, st.From = jid.JID{}, jid.JID{}
	if err := n.bound(full, func(*Stream) [][]byte { return [][]byte{reply} }); err != nil {
		var f *fault
		if errors.As(err, &f) {
			return false, err
		}
		n.c.log.Debug("resource refused", slog.Any("", n.c.ses), "error", err)
		return false, n.write(st.Failure(xstanza.ResourceConstraint, xstanza.Wait))
	}
	return true, nil
}

// resourceOf is the resource that a request for bind asks for, "" for any; false where it cannot be read.
func resourceOf(st *Stanza, bind Child) (resource string, ok bool) {
	request, err := st.Child(bind)
	if err != nil {
		return "", false
	}
	if !request.Has(nsBind, "resource") {
		return "", true
	}
	el, ok := request.Only(nsBind, "resource")
	if !ok {
		return "", false
	}
	return el.Text()
}

// address is the full JID of the session with the resource that the client asks for, or one of
// our own where it asks for none.
func (n *negotiation) address(resource string) (jid.JID, error) {
	switch {
	case n.fixed != "":
		resource = n.fixed
	case resource == "":
		resource = rand.Text()
	}
	if n.creds.Anonymous() {
		if n.guest == "" { // one name for the log-in, whatever is bound and how often it is tried
			n.guest = strings.ToLower(rand.Text())
		}
		return jid.New(n.guest, "anon."+n.domain, resource)
	}
	return jid.New(string(n.creds.Login), n.creds.Domain, resource)
}

// bound makes the stream. The router knows it before the client does, so that what is sent to the
// new address from then on queues behind the answer, and nothing is lost. reply makes the answer,
// item by item.
func (n *negotiation) bound(full jid.JID, reply func(*Stream) [][]byte) error {
	s := newStream(full, n.c.ses, n.lang, n.srv.limits)
	n.vouch(s)
	if err := n.c.attach(s); err != nil {
		return err
	}
	n.c.ses.Update(func(d *identity.Details) {
		d.State, d.Bound = identity.StateConnected, true
		d.JID, d.Resource = full.String(), full.Resourcepart()
		d.Lang = n.lang
	})
	s.born.Lock()
	old, err := n.srv.router.bind(n.c.ctx, s)
	if err != nil {
		s.born.Unlock()
		n.c.detach()
		n.c.ses.Update(func(d *identity.Details) {
			d.State, d.Bound, d.JID, d.Resource = identity.StateAuthenticated, false, "", ""
		})
		return err
	}
	if old != nil { // RFC 6120 section 7.7.2.2: the newer one stays
		old.end(xstream.Conflict, "Another connection has taken this address.")
		old.leave(n.srv.router, "replaced by another connection")
	}
	n.recheck(s)
	for _, up := range n.srv.router.hooks.ups {
		up(n.c.ctx, s)
	}
	s.born.Unlock()
	n.t.deadline(time.Time{})
	n.s = s
	s.release(reply(s)...)
	return nil
}
