package xmpp

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"strings"
	"time"

	xstanza "mellium.im/xmpp/stanza"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

const nsCertificates = "urn:xmpp:saslcert:1"

// Bounds of the list of one account.
const (
	maxCertificates    = 20
	maxCertificateName = 128     // bytes
	maxCertificate     = 8 << 10 // bytes of DER
)

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
// has answered. Who adds a certificate adds a key to the account, so an app password does not
// suffice, nor a certificate that was made known without that right (XEP-0257 sections 2.1 and 6).
func (r *Router) mayManage(ctx context.Context, q *Request, change bool) bool {
	creds, ok := q.By.ses.Credentials()
	switch {
	case !ok || q.Account.ID == "":
		q.Fail(xstanza.NotAllowed, xstanza.Cancel)
		return false
	case q.By.ses.Details().TLS == "":
		q.FailText(xstanza.NotAllowed, xstanza.Cancel, "Certificates are managed over TLS only.", "")
		return false
	case !change:
		return true
	case creds.Grant != nil:
		q.FailText(xstanza.Forbidden, xstanza.Auth, "An app password cannot change the list. Log in with your password.", "")
		return false
	}
	by := q.By.proof.Load()
	if by == nil {
		return true
	}
	c, err := r.store.Certificate(ctx, q.Account.ID, by.fingerprint)
	switch {
	case err == nil && c.Manages, errors.Is(err, identity.ErrNotFound) && by.vouched:
		return true
	case err != nil && !errors.Is(err, identity.ErrNotFound):
		q.Broken(err)
	default:
		q.FailText(xstanza.Forbidden, xstanza.Auth, "This client's certificate does not allow it to change the list.", "")
	}
	return false
}

// listCertificates is XEP-0257 section 2.2.
func (r *Router) listCertificates(ctx context.Context, q *Request) {
	if !r.mayManage(ctx, q, false) {
		return
	}
	list, err := r.store.Certificates(ctx, q.Account.ID)
	if err != nil {
		q.Broken(err)
		return
	}
	streams := r.Streams(nil, q.Account.Address)
	b := []byte("<items xmlns='" + nsCertificates + "'>")
	for _, c := range list {
		b = append(append(append(b, "<item><name>"...), Escape(c.Name)...), "</name><x509cert>"...)
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

// read checks it; the text says what is wrong.
func (in newCertificate) read(now time.Time) (c Certificate, wrong string) {
	if c.Name = shortText(in.Name); c.Name == "" || c.Name != in.Name || len(c.Name) > maxCertificateName {
		return c, "A certificate has a name of one short line."
	}
	text := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, in.Cert)
	if len(text) > base64.StdEncoding.EncodedLen(maxCertificate) {
		return c, "The certificate is too large."
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return c, "The certificate is not in base64."
	}
	cert, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return c, "That is no X.509 certificate."
	case now.After(cert.NotAfter):
		return c, "The certificate has expired."
	}
	c.DER, c.Fingerprint, c.Manages, c.Added = der, fingerprint(der), in.Bound == nil, now.UTC().Truncate(time.Second)
	return c, ""
}

// errManyCertificates is a list that has all it may have.
var errManyCertificates = errors.New("the account has all the certificates it may have")

// appendCertificate is XEP-0257 section 2.1.
func (r *Router) appendCertificate(ctx context.Context, q *Request) {
	if !r.mayManage(ctx, q, true) {
		return
	}
	var in newCertificate
	if err := q.Decode(&in); err != nil {
		q.Bad()
		return
	}
	now := r.now()
	c, wrong := in.read(now)
	if wrong != "" {
		q.FailText(xstanza.NotAcceptable, xstanza.Modify, wrong, "")
		return
	}
	err := r.store.Write(ctx, func(w StoreWriter) error {
		list, err := w.Certificates(ctx, q.Account.ID)
		if err != nil {
			return err
		}
		left := len(list)
		for _, old := range list { // section 2.3: what has expired may go
			if cert, err := x509.ParseCertificate(old.DER); err != nil || now.After(cert.NotAfter) {
				left--
				if err := w.RemoveCertificate(ctx, q.Account.ID, old.Name); err != nil {
					return err
				}
			}
		}
		if left >= maxCertificates {
			return errManyCertificates
		}
		return w.AddCertificate(ctx, q.Account.ID, c)
	})
	switch {
	case errors.Is(err, identity.ErrExists):
		q.FailText(xstanza.Conflict, xstanza.Cancel, "There is a certificate of that name, or the same one under another.", "")
	case errors.Is(err, errManyCertificates):
		q.FailText(xstanza.ResourceConstraint, xstanza.Wait, "There are too many certificates. Remove one first.", "")
	case err != nil:
		q.Broken(err)
	default:
		r.audit(ctx, q, "certificate.add", c.Name+" "+c.Fingerprint)
		q.Result("")
	}
}

// removeCertificate is XEP-0257 sections 2.3 and, with end, 2.4: whoever is logged in by it goes.
func (r *Router) removeCertificate(ctx context.Context, q *Request, end bool) {
	if !r.mayManage(ctx, q, true) {
		return
	}
	var in struct {
		Name string `xml:"urn:xmpp:saslcert:1 name"`
	}
	if err := q.Decode(&in); err != nil || in.Name == "" {
		q.Bad()
		return
	}
	var gone *Certificate
	err := r.store.Write(ctx, func(w StoreWriter) error {
		list, err := w.Certificates(ctx, q.Account.ID)
		if err != nil {
			return err
		}
		for _, c := range list {
			if c.Name == in.Name {
				gone = &c
			}
		}
		return w.RemoveCertificate(ctx, q.Account.ID, in.Name)
	})
	switch {
	case err != nil:
		q.Broken(err)
		return
	case gone == nil:
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
		return
	}
	r.revocations.Add(1)
	r.audit(ctx, q, "certificate.remove", gone.Name+" "+gone.Fingerprint)
	q.Result("")
	if !end {
		return
	}
	for _, s := range r.Streams(nil, q.Account.Address) {
		if s.Certificate() == gone.Fingerprint {
			s.end(xstream.NotAuthorized, "The certificate of this client was revoked.")
		}
	}
}

// audit records what somebody did with an account by chat.
func (r *Router) audit(ctx context.Context, q *Request, event, detail string) {
	who := q.Account.String()
	if creds, ok := q.By.ses.Credentials(); ok {
		who = creds.User
	}
	err := r.accounts.Record(ctx, identity.AuditEvent{
		Event: event, Actor: who, Via: string(identity.ProtocolXMPP), Subject: who, Protocol: identity.ProtocolXMPP,
		Session: q.By.ses.ID(), Result: "ok", Detail: detail,
	})
	if err != nil {
		r.log.Error("an event is not in the audit log", "event", event, "user", who, "error", err)
	}
}

// removeCertificates forgets those of an account that has been removed.
func (r *Router) removeCertificates(ctx context.Context, id identity.UserID) error {
	return r.store.Write(ctx, func(w StoreWriter) error {
		list, err := w.Certificates(ctx, id)
		if err != nil {
			return err
		}
		for _, c := range list {
			if err := w.RemoveCertificate(ctx, id, c.Name); err != nil {
				return err
			}
		}
		return nil
	})
}
