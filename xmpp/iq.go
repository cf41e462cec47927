package xmpp

import (
	"context"

	xstanza "mellium.im/xmpp/stanza"
)

// iq routes an IQ, or answers it for the server or an account (RFC 6121 section 8.5 and RFC 6120
// section 8.2.3).
func (r *Router) iq(ctx context.Context, s *Stream, st *Stanza) {
	request := st.Type == "get" || st.Type == "set"
	if st.ID == "" || !request && st.Type != "result" && st.Type != "error" || request && len(st.Children) != 1 {
		r.fail(s, st, xstanza.BadRequest, xstanza.Modify)
		return
	}
	switch t := r.targetOf(s, st.To); {
	case t == ToForeign:
		r.fail(s, st, xstanza.RemoteServerNotFound, xstanza.Cancel)
	case t == ToResource:
		r.iqToResource(ctx, s, st, request)
	case !request:
		r.answered(s, st)
	case t == ToServer && st.To.Resourcepart() != "":
		r.refuse(s, st)
	default:
		// Section 8.5.2.1.3: the server answers for the account, the same whether or not there is
		// one and whether or not anybody is there.
		r.serve(ctx, s, st, t)
	}
}

// iqToResource passes an IQ on. Section 8.5.3.2.3: nobody there, and nobody there for this sender,
// are one answer; so what one has blocked oneself comes first. Answers may always go back to who asked.
func (r *Router) iqToResource(ctx context.Context, s *Stream, st *Stanza, request bool) {
	if bare, resource := st.toParts(); r.blocked(s.Owner(), bare, resource) {
		r.failBlocked(s, st)
		return
	}
	to := r.at(st.To)
	switch {
	case to == nil, r.leaks(ctx, s, st, to), request && !r.accounts.Allowed(s.ses, "xmpp:iq"), r.blocked(to.Owner(), s.res.Address, s.res.name):
		r.refuse(s, st)
	case !to.Put(outgoing(s, st)):
		r.refuse(s, st)
	}
}

// leaks reports whether a request would tell somebody of activity who does not see presence (XEP-0012
// section 4).
func (r *Router) leaks(ctx context.Context, s *Stream, st *Stanza, to *Stream) bool {
	return st.Type == "get" && st.First().Space == nsLast && !r.Sees(ctx, s.res.Address, to.Owner())
}
