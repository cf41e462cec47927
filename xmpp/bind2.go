package xmpp

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"mellium.im/xmpp/jid"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// inlineBind are the names of what can be asked for in a `<bind/>` (XEP-0386 section 3.1).
func (n *negotiation) inlineBind() []string {
	var list []string
	for _, h := range n.srv.router.hooks.binds {
		if h.name.Space != "" && !slices.Contains(list, h.name.Space) {
			list = append(list, h.name.Space)
		}
	}
	return list
}

// maxInline bounds what one `<bind/>` asks for.
const maxInline = 32

// bindInline does what a `<bind/>` asks for and returns what `<bound/>` holds. The stream is known by
// now and writes nothing yet, so what happens meanwhile comes after the answer.
func (n *negotiation) bindInline(ctx context.Context, s *Stream, bind *Element) (answers []byte) {
	hooks := n.srv.router.hooks.binds
	for _, c := range bind.Children[:min(len(bind.Children), maxInline)] {
		for _, h := range hooks {
			if h.name != c.Name || h.name.Space == "" {
				continue
			}
			if el, err := bind.Child(c); err == nil {
				answers = append(answers, h.answer(ctx, s, el)...)
			}
		}
	}
	for _, h := range hooks {
		if h.name.Space == "" {
			answers = append(answers, h.answer(ctx, s, nil)...)
		}
	}
	return answers
}

// bind2 binds a resource as part of a log-in (XEP-0386 section 3.2). reply makes the items that the
// new stream begins with, of `<bound/>`.
func (n *negotiation) bind2(ctx context.Context, q request2, reply func(s *Stream, bound []byte) [][]byte) (ready bool, err error) {
	full, err := n.clientAddress(q.bind)
	if err != nil {
		return false, n.unbound(ctx, err)
	}
	err = n.bound(full, func(s *Stream) [][]byte {
		b := []byte("<bound xmlns='" + nsBind2 + "'")
		if answers := n.bindInline(ctx, s, q.bind); len(answers) > 0 {
			b = append(append(append(b, '>'), answers...), "</bound>"...)
		} else {
			b = append(b, "/>"...)
		}
		return reply(s, b)
	})
	if err != nil {
		return false, n.unbound(ctx, err)
	}
	n.srv.router.replace(n.s)
	return true, nil
}

// unbound answers a log-in whose resource cannot be bound: it has failed as a whole.
func (n *negotiation) unbound(ctx context.Context, err error) error {
	n.c.log.Debug("resource refused", slog.Any("", n.c.ses), "error", err)
	if _, known := answerTo(err); !known && !errors.As(err, new(*fault)) {
		err = &saslError{cond: saslTemporaryFailure, text: "No resource can be bound now. Try again in a minute."}
	}
	return n.undo(ctx, err)
}

// undo makes a failure of a log-in that identity has let in; the stream is as it was.
func (n *negotiation) undo(ctx context.Context, err error) error {
	n.srv.identity.Forget(n.c.ses)
	n.creds, n.authed, n.evidence, n.fixed, n.agent = identity.Credentials{}, false, nil, "", UserAgent{}
	n.t.limits(strangerElement, strangerTotal)
	n.c.ses.Update(func(d *identity.Details) { d.State, d.UserAgent = identity.StateUnauthed, "" })
	return n.refuse(ctx, sasl2, err)
}

// clientAddress is the full JID for a `<bind/>`: the client's tag and an identifier of ours
// (XEP-0386 section 3.2.1). The same installation gets the same one each time, so that it takes
// the place of what it left behind.
func (n *negotiation) clientAddress(bind *Element) (jid.JID, error) {
	id := n.clientKey()
	if id == "" {
		id = rand.Text()[:clientKeyLength]
	}
	if tag, ok := bind.Only(nsBind2, "tag"); ok {
		if text, _ := tag.Text(); text != "" {
			if j, err := n.address(text + "/" + id); err == nil {
				return j, nil
			}
		}
	}
	return n.address(id)
}

// clientKeyLength is the length of an identifier, which 72 bits of a hash are in base64.
const clientKeyLength = 12

// clientKey is what others may see of the client's installation; "" where it named none.
func (n *negotiation) clientKey() string {
	if n.agent.ID == "" || n.creds.Anonymous() {
		return ""
	}
	m := hmac.New(sha256.New, n.srv.resourceKey)
	_, _ = fmt.Fprintf(m, "%d:%s%s", len(n.creds.UserID), n.creds.UserID, n.agent.ID)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))[:clientKeyLength]
}

// replace ends what other streams the client of s has left behind (XEP-0386 section 3.2).
func (r *Router) replace(s *Stream) {
	id := s.UserAgent().ID
	if id == "" || s.res.owner == "" {
		return
	}
	for _, old := range r.client(s.res.Address, id) {
		if old != s {
			old.end(xstream.Conflict, "The client has connected anew.")
		}
	}
}

// client returns the streams of one installation.
func (r *Router) client(a Address, id string) []*Stream {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(r.bound[a]), func(s *Stream) bool { return s.UserAgent().ID != id })
}
