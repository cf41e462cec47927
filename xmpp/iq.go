package xmpp

import (
	"context"

	xstanza "mellium.im/xmpp/stanza"
)

// iq routes an IQ, or answers it for the server or the sender's account (RFC 6121 section 8.5 and
// RFC 6120 section 8.2.3).
func (r *router) iq(ctx context.Context, s *stream, st *stanza) {
	request := st.typ == "get" || st.typ == "set"
	if st.id == "" || !request && st.typ != "result" && st.typ != "error" || request && len(st.children) != 1 {
		r.fail(s, st, xstanza.BadRequest, xstanza.Modify)
		return
	}
	switch t := r.targetOf(s, st.to); {
	case t == targetForeign:
		r.fail(s, st, xstanza.RemoteServerNotFound, xstanza.Cancel)
	case t == targetFull:
		to := r.at(st.to)
		// Section 8.5.3.2.3: nobody there. Answers may always go back to who asked.
		if to == nil || request && !r.accounts.Allowed(s.ses, "xmpp:iq") || !to.put(outgoing(s, st)) {
			r.refuse(s, st)
		}
	case !request:
		// Answers to what the server asked, such as roster pushes: nothing waits for them.
	case t == targetSelf || t == targetServer && st.to.Resourcepart() == "":
		r.serve(ctx, s, st, t)
	default:
		// Section 8.5.2.1.3: the server answers for the account, the same whether or not there is
		// one and whether or not anybody is there.
		r.refuse(s, st)
	}
}

// serve answers what the server or the sender's own account has an answer for.
func (r *router) serve(ctx context.Context, s *stream, st *stanza, t target) {
	v, ok := r.services[serviceKey{t, st.child.Space, st.child.Local}]
	if !ok || st.typ == "set" && !v.set || !v.open(r, s) {
		r.refuse(s, st)
		return
	}
	v.answer(ctx, s, st)
}
