package xmpp

import (
	"context"

	xstanza "mellium.im/xmpp/stanza"
)

// iq routes an IQ, or answers it for the server or the sender's account (RFC 6121 section 8.5 and
// RFC 6120 section 8.2.3).
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
		to := r.at(st.To)
		// Section 8.5.3.2.3: nobody there. Answers may always go back to who asked.
		if to == nil || request && !r.accounts.Allowed(s.ses, "xmpp:iq") || !to.Put(outgoing(s, st)) {
			r.refuse(s, st)
		}
	case !request:
		// Answers to what the server asked, such as roster pushes: nothing waits for them.
	case t == ToSelf || t == ToServer && st.To.Resourcepart() == "":
		r.serve(ctx, s, st, t)
	default:
		// Section 8.5.2.1.3: the server answers for the account, the same whether or not there is
		// one and whether or not anybody is there.
		r.refuse(s, st)
	}
}

// serve answers what the server or the sender's own account has an answer for.
func (r *Router) serve(ctx context.Context, s *Stream, st *Stanza, t Target) {
	v, ok := r.services[serviceKey{t, st.First().Space, st.First().Local}]
	if !ok || st.Type == "set" && !v.set || !v.open(r, s) {
		r.refuse(s, st)
		return
	}
	v.answer(ctx, s, st)
}
