package web

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/certs"
)

// certsView is the list of the server's own certificates.
type certsView struct {
	page
	Rows                 []certRow
	Orders               []orderRow
	Name, Cert, Key      field
	MayChange, MainFixed bool
}

type certRow struct {
	certs.Described
	Ends           stamp
	Soon, Over     bool
	UsedBy         string
	SelfSignedPath string
}

// orderRow is a name whose certificate comes by ACME.
type orderRow struct {
	certs.Automatic
	Ends, Last, Again, Failing stamp
	MayRenew                   bool
}

// renewWait bounds how long the page waits for an authority; the order goes on without it.
const renewWait = 40 * time.Second

func (s *Server) newCertsView(v *visit) *certsView {
	view := &certsView{MayChange: v.level.Allows(identity.LevelRoot),
		Name: field{ID: "name", Name: "name", Label: "admin_certificates.which", Type: "text", Value: "main", Required: true, Autocomplete: "off", Help: "admin_certificates.which_help"},
		Cert: field{ID: "certificate", Name: "certificate", Label: "admin_certificates.certificate", Type: "text", Rows: 6, Required: true, Help: "admin_certificates.certificate_help"},
		Key:  field{ID: "key", Name: "key", Label: "admin_certificates.private_key", Type: "text", Rows: 6, Required: true, Help: "admin_certificates.private_key_help"}}
	v.fill(&view.page, "admin.certificates", "admin_certificates.certificates")
	if s.opt.Certificates == nil {
		return view
	}
	for _, i := range s.opt.Certificates.List() {
		r := certRow{Described: i, Ends: view.Stamp(i.Until), UsedBy: cmp.Or(s.usedBy(), v.T("admin_certificates.nothing"))}
		left := i.Until.Sub(s.now())
		r.Over, r.Soon = left <= 0, left < 14*24*time.Hour
		if i.Name == "main" && !i.Uploaded && !i.SelfSigned && !i.Automatic {
			view.MainFixed = true
		}
		if view.MayChange && (i.Uploaded || i.Name == "main" && i.SelfSigned) {
			r.SelfSignedPath = "/admin/certificates/selfsigned"
		}
		view.Rows = append(view.Rows, r)
	}
	for _, a := range s.opt.Certificates.Automatic() {
		view.Orders = append(view.Orders, orderRow{Automatic: a, MayRenew: view.MayChange, Ends: view.Stamp(orZero(a.Until)), Last: view.Stamp(orZero(a.Tried)),
			Again: view.Stamp(orZero(a.Next)), Failing: view.Stamp(orZero(a.Since))})
	}
	return view
}

// usedBy names the roads that speak TLS; "" is none.
func (s *Server) usedBy() string {
	var list []string
	for _, road := range []struct{ word, names string }{{"FTP", "ftp ftps"}, {"HTTPS", "https"}, {"XMPP", "xmpp xmpps"}} {
		for _, b := range s.opt.Listeners() {
			if strings.Contains(" "+road.names+" ", " "+b.Name+" ") && b.TLS != "none" {
				list = append(list, road.word)
				break
			}
		}
	}
	return strings.Join(list, ", ")
}

func (s *Server) getCertificates(v *visit) error {
	return s.write(v, http.StatusOK, "admin_certificates", s.newCertsView(v))
}

// postCertificate checks a pair and uses it; what is wrong stands at its field, and nothing was changed.
func (s *Server) postCertificate(v *visit) error {
	if s.opt.Certificates == nil {
		return v.see("/admin/certificates")
	}
	name := v.text("name")
	info, err := s.opt.Certificates.Import(name, []byte(v.form("certificate")), []byte(v.form("key")))
	if err != nil {
		view := s.newCertsView(v)
		view.Name.Value, view.Cert.Value = name, v.form("certificate") // the key is not shown again
		view.trouble(&view.Cert, v.T("admin_certificates.nothing_was_changed", v.words.Echo("service", err.Error())))
		return s.write(v, http.StatusUnprocessableEntity, "admin_certificates", view)
	}
	if err := s.noteCertificate(v, "certificate.import", name, info.Fingerprint); err != nil {
		return err
	}
	return v.done("/admin/certificates", "admin_certificates.is_in_use", strings.Join(info.Names, ", "), v.date(info.Until))
}

// postSelfSigned makes a pair that nobody vouches for.
func (s *Server) postSelfSigned(v *visit) error {
	if s.opt.Certificates == nil {
		return v.see("/admin/certificates")
	}
	name := v.text("name")
	if err := s.opt.Certificates.SelfSigned(name); err != nil {
		v.flash(flash{Kind: flashError, Text: v.T("admin_certificates.no_certificate_was_made", v.words.Echo("service", err.Error()))})
		return v.see("/admin/certificates")
	}
	if err := s.noteCertificate(v, "certificate.selfsigned", name, s.opt.Certificates.Fingerprint()); err != nil {
		return err
	}
	return v.done("/admin/certificates", "admin_certificates.self_signed_is_in_use")
}

// orZero is a time that may be absent.
func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

// postRenew orders a certificate at once.
func (s *Server) postRenew(v *visit) error {
	if s.opt.Certificates == nil {
		return v.see("/admin/certificates")
	}
	ctx, cancel := context.WithTimeout(v.ctx(), renewWait)
	defer cancel()
	a, err := s.opt.Certificates.Renew(ctx, v.text("name"))
	switch {
	case errors.Is(err, certs.ErrNotAutomatic):
		return fs.ErrNotExist
	case errors.Is(err, context.DeadlineExceeded):
		v.flash(flash{Kind: flashSuccess, Text: v.T("admin_certificates.renewal_goes_on", a.Name)})
		return v.see("/admin/certificates")
	case err != nil:
		v.flash(flash{Kind: flashError, Text: v.T("admin_certificates.not_renewed", a.Name, cmp.Or(v.found(a.Trouble), err.Error()))})
		return v.see("/admin/certificates")
	}
	if err := s.noteCertificate(v, "certificate.renew", a.Name, s.opt.Certificates.For(a.Name).Fingerprint); err != nil {
		return err
	}
	return v.done("/admin/certificates", "admin_certificates.renewed", a.Name)
}

func (s *Server) noteCertificate(v *visit, event, name, fingerprint string) error {
	by := v.actor()
	return s.opt.Identity.Record(v.ctx(), identity.AuditEvent{Event: event, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: name, Result: "ok", Detail: "SHA-256 " + fingerprint})
}
