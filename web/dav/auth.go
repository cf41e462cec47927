package dav

import (
	"net/http"

	"trivium/identity"
	"trivium/web/auth"
)

// authenticate opens or finds the session of the credential that came.
func (q *request) authenticate() error {
	l, err := auth.Credential(q.r)
	if err != nil {
		return err
	}
	v, own := auth.Visit(q.r), &holder{all: &q.h.transfers}
	v.Holder = own
	ses, err := q.h.o.Identity.Request(q.ctx, identity.ProtocolDAV, v, l)
	if err != nil {
		return err
	}
	own.ses.Store(ses) // if the session is another request's, nobody looks at own
	if creds, ok := ses.Credentials(); !ok || creds.Anonymous() {
		return identity.ErrCredentials
	}
	q.ses = ses
	return nil
}

// challenge is RFC 9110 section 11.6.1, Basic first: some clients look no further.
func challenge(h http.Header) {
	h.Add("WWW-Authenticate", auth.Basic)
	h.Add("WWW-Authenticate", auth.Bearer)
}
