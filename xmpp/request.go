package xmpp

import (
	"context"
	"log/slog"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
)

// Request is an IQ of type get or set that a service answers. The answer goes to who asked.
type Request struct {
	*Stanza
	By      *Stream // whose client asks
	Target  Target
	Account Owner // whose data it is about, for ToSelf and ToAccount

	router *Router
}

// Payload is the one child of the request.
func (q *Request) Payload() (*Element, error) { return q.Child(q.Children[0]) }

// Decode reads the payload into v, as xml.Unmarshal does.
func (q *Request) Decode(v any) error { return q.DecodeChild(q.Children[0], v) }

// Result answers with one whole element, or with none where payload is "".
func (q *Request) Result(payload string) { q.By.Put(q.Stanza.Result(payload)) }

// Fail answers with an error (RFC 6120 section 8.3).
func (q *Request) Fail(cond xstanza.Condition, typ xstanza.ErrorType) {
	q.By.Put(q.Stanza.Failure(cond, typ))
}

// FailText is Fail with words for a person and, where it is not "", one element of the
// application (section 8.3.4).
func (q *Request) FailText(cond xstanza.Condition, typ xstanza.ErrorType, text, application string) {
	q.By.Put(q.Stanza.FailureDetail(cond, typ, text, application))
}

// Actor is who asks, for identity.
func (q *Request) Actor() identity.Actor {
	c, _ := q.By.ses.Credentials()
	return identity.Actor{User: c.User, Level: c.Level, Via: "xmpp", Remote: q.By.ses.Remote().Addr().String()}
}

// Delegated reports whether the client logged in by what the account's owner has given it in the
// place of the password: an app password, or a certificate that stands in the account's list. It
// manages no account, so that whoever takes it back takes back all that it opened.
func (q *Request) Delegated() bool {
	return q.By.ses.Delegated()
}

// Bad answers that the request is not understood.
func (q *Request) Bad() { q.Fail(xstanza.BadRequest, xstanza.Modify) }

// Refuse answers that there is no such thing: the same bytes for what is not there and for what
// the asking session may not know of.
func (q *Request) Refuse() { q.Fail(xstanza.ServiceUnavailable, xstanza.Cancel) }

// Broken logs an error of store or identity and answers that it is the server's fault and may
// pass.
func (q *Request) Broken(err error) {
	q.router.log.Error("request not answered", "payload", q.First().Space, slog.Any("", q.By.ses), "error", err)
	q.Fail(xstanza.InternalServerError, xstanza.Wait)
}

// serve answers what the server or an account has an answer for.
func (r *Router) serve(ctx context.Context, s *Stream, st *Stanza, t Target) {
	// RFC 6121 sections 2.1.5 and 2.3.3: nobody changes the roster of another one. That is so whoever
	// the other one is, and thus says nothing of whether there is such an account.
	if t == ToAccount && st.Type == "set" && st.First().Space == nsRoster && r.accounts.Allowed(s.ses, "xmpp:roster") {
		r.fail(s, st, xstanza.Forbidden, xstanza.Auth)
		return
	}
	v, ok := r.service(t, st)
	if !ok || !v.takes(st.Type) || !v.open(r, s) {
		r.refuse(s, st)
		return
	}
	q := &Request{Stanza: st, By: s, Target: t, Account: s.Owner(), router: r}
	if t == ToAccount {
		them, err := r.party(ctx, addressOf(st.To))
		if err != nil {
			r.broken(s, st, err)
			return
		}
		// Blocked, absent and closed are one answer.
		if !them.exists || r.blocked(them.owner(), s.res.Address, s.res.name) {
			if v.Absent != nil {
				v.Absent(q)
			} else {
				r.refuse(s, st)
			}
			return
		}
		q.Account = them.owner()
	}
	v.Answer(ctx, q)
}

// service finds who answers a request.
func (r *Router) service(t Target, st *Stanza) (Service, bool) {
	name := st.First()
	v, ok := r.hooks.services[serviceKey{t, name}]
	if !ok {
		name.Local = ""
		v, ok = r.hooks.services[serviceKey{t, name}]
	}
	return v, ok
}

// takes reports whether the service answers requests of the type.
func (v Service) takes(typ string) bool {
	if typ == "set" {
		return v.Set || v.SetOnly
	}
	return !v.SetOnly
}

// open reports whether s may use the service now.
func (v Service) open(r *Router, s *Stream) bool {
	return s.ses.Level().Allows(v.Least) && r.accounts.Allowed(s.ses, v.Resource)
}
