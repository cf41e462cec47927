package xmpp

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"strings"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
)

const nsCertificates = "urn:xmpp:saslcert:1"

// certificates registers the management of one's own client certificates (XEP-0257).
func (reg *Registrar) certificates(o Options) {
	if !o.Config.ClientCertificates {
		return
	}
	name := func(local string) xml.Name { return xml.Name{Space: nsCertificates, Local: local} }
	const resource = "xmpp:certificates"
	reg.Serve(
		Service{To: ToSelf, Name: name("items"), Resource: resource, Answer: reg.listCertificates},
		Service{To: ToSelf, Name: name("append"), Resource: resource, SetOnly: true, Answer: reg.appendCertificate},
		Service{To: ToSelf, Name: name("disable"), Resource: resource, SetOnly: true, Answer: func(ctx context.Context, q *Request) { reg.removeCertificate(ctx, q, false) }},
		Service{To: ToSelf, Name: name("revoke"), Resource: resource, SetOnly: true, Answer: func(ctx context.Context, q *Request) { reg.removeCertificate(ctx, q, true) }},
	)
	reg.Feature(ToServer, nsCertificates)
}

// mayManage reports whether the asking session may see the list, or with change change it; else it
// has answered. Who adds a certificate adds a key to the account, so identity decides who may
// (XEP-0257 sections 2.1 and 6).
func (r *Router) mayManage(q *Request, change bool) bool {
	switch {
	case q.Account.ID == "":
		q.Fail(xstanza.NotAllowed, xstanza.Cancel)
		return false
	case q.By.ses.Details().TLS == "":
		q.FailText(xstanza.NotAllowed, xstanza.Cancel, "Certificates are managed over TLS only.", "")
		return false
	case !change:
		return true
	}
	if err := r.accounts.MayManageCertificates(q.By.ses); err != nil {
		q.FailText(xstanza.Forbidden, xstanza.Auth, sentence(err), "")
		return false
	}
	return true
}

// sentence is an error of identity as a text for people.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// listCertificates is XEP-0257 section 2.2.
func (r *Router) listCertificates(ctx context.Context, q *Request) {
	if !r.mayManage(q, false) {
		return
	}
	list, err := r.accounts.Certificates(ctx, q.Account.String())
	if err != nil {
		q.Broken(err)
		return
	}
	streams := r.Streams(nil, q.Account.Address)
	b := []byte("<items xmlns='" + nsCertificates + "'>")
	for _, c := range list {
		b = append(append(append(b, "<item><name>"...), Escape(c.Label)...), "</name><x509cert>"...)
		b = append(base64.StdEncoding.AppendEncode(b, c.DER), "</x509cert>"...)
		users := false
		for _, s := range streams {
			if s.Certificate() != c.Fingerprint {
				continue
			}
			if !users {
				b, users = append(b, "<users>"...), true
			}
			b = append(append(append(b, "<resource>"...), Escape(s.res.name)...), "</resource>"...)
		}
		if users {
			b = append(b, "</users>"...)
		}
		b = append(b, "</item>"...)
	}
	q.Result(string(append(b, "</items>"...)))
}

// newCertificate is what a client wants to add.
type newCertificate struct {
	Name  string    `xml:"urn:xmpp:saslcert:1 name"`
	Cert  string    `xml:"urn:xmpp:saslcert:1 x509cert"`
	Bound *struct{} `xml:"urn:xmpp:saslcert:1 no-cert-management"`
}

// read decodes it; the text says what is wrong.
func (in newCertificate) read() (c identity.NewCertificate, wrong string) {
	if c.Label = shortText(in.Name); c.Label == "" || c.Label != in.Name {
		return c, "A certificate has a name of one short line."
	}
	text := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, in.Cert)
	var err error
	if c.DER, err = base64.StdEncoding.DecodeString(text); err != nil {
		return c, "The certificate is not in base64."
	}
	c.Manages = in.Bound == nil
	return c, ""
}

// appendCertificate is XEP-0257 section 2.1.
func (r *Router) appendCertificate(ctx context.Context, q *Request) {
	if !r.mayManage(q, true) {
		return
	}
	var in newCertificate
	if err := q.Decode(&in); err != nil {
		q.Bad()
		return
	}
	c, wrong := in.read()
	if wrong != "" {
		q.FailText(xstanza.NotAcceptable, xstanza.Modify, wrong, "")
		return
	}
	switch _, err := r.accounts.AddCertificate(ctx, q.Actor(), q.Account.String(), c); {
	case errors.Is(err, identity.ErrExists):
		q.FailText(xstanza.Conflict, xstanza.Cancel, "There is a certificate of that name, or the same one under another.", "")
	case errors.Is(err, identity.ErrCertificateRoom):
		q.FailText(xstanza.ResourceConstraint, xstanza.Wait, "There are too many certificates. Remove one first.", "")
	case errors.Is(err, identity.ErrInvalid):
		q.FailText(xstanza.NotAcceptable, xstanza.Modify, sentence(err), "")
	case err != nil:
		q.Broken(err)
	default:
		q.Result("")
	}
}

// removeCertificate is XEP-0257 sections 2.3 and, with end, 2.4: whoever is logged in by it goes.
func (r *Router) removeCertificate(ctx context.Context, q *Request, end bool) {
	if !r.mayManage(q, true) {
		return
	}
	var in struct {
		Name string `xml:"urn:xmpp:saslcert:1 name"`
	}
	if err := q.Decode(&in); err != nil || in.Name == "" {
		q.Bad()
		return
	}
	switch _, err := r.accounts.RemoveCertificate(ctx, q.Actor(), q.Account.String(), in.Name, !end); {
	case errors.Is(err, identity.ErrNotFound):
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
	case err != nil:
		q.Broken(err)
	default:
		q.Result("")
	}
}
