package web

import (
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

func (s *Server) newCertsView(v *visit) *certsView {
	view := &certsView{MayChange: v.level.Allows(identity.LevelRoot),
		Name: field{ID: "name", Name: "name", Label: "Which", Type: "text", Value: "main", Required: true, Autocomplete: "off", Help: "main is what clients get on all roads who ask for no other name, as most FTP clients do. Another name keeps a pair of its own, for the names in it."},
		Cert: field{ID: "certificate", Name: "certificate", Label: "Certificate", Type: "text", Rows: 6, Required: true, Help: "PEM, beginning with BEGIN CERTIFICATE: the server's own first, then those that lead to the authority (fullchain.pem)."},
		Key:  field{ID: "key", Name: "key", Label: "Private key", Type: "text", Rows: 6, Required: true, Help: "PEM, not locked (privkey.pem). It is never shown again."}}
	v.fill(&view.page, "admin.certificates", "Certificates")
	if s.opt.Certificates == nil {
		return view
	}
	for _, i := range s.opt.Certificates.List() {
		r := certRow{Described: i, Ends: view.Stamp(i.Until), UsedBy: s.usedBy()}
		left := i.Until.Sub(s.now())
		r.Over, r.Soon = left <= 0, left < 14*24*time.Hour
		if i.Name == "main" && !i.Uploaded && !i.SelfSigned {
			view.MainFixed = true
		}
		if view.MayChange && (i.Uploaded || i.Name == "main" && i.SelfSigned) {
			r.SelfSignedPath = "/admin/certificates/selfsigned"
		}
		view.Rows = append(view.Rows, r)
	}
	return view
}

// usedBy names the roads that speak TLS.
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
	if len(list) == 0 {
		return "nothing"
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
		view.trouble(&view.Cert, "Nothing was changed: "+err.Error()+".")
		return s.write(v, http.StatusUnprocessableEntity, "admin_certificates", view)
	}
	if err := s.noteCertificate(v, "certificate.import", name, info.Fingerprint); err != nil {
		return err
	}
	return v.done("/admin/certificates", "The certificate for %s is in use on all roads, until %s.", strings.Join(info.Names, ", "), info.Until.Format(time.DateOnly))
}

// postSelfSigned makes a pair that nobody vouches for.
func (s *Server) postSelfSigned(v *visit) error {
	if s.opt.Certificates == nil {
		return v.see("/admin/certificates")
	}
	name := v.text("name")
	if err := s.opt.Certificates.SelfSigned(name); err != nil {
		v.flash(flash{Kind: flashError, Text: "No certificate was made: " + err.Error() + "."})
		return v.see("/admin/certificates")
	}
	if err := s.noteCertificate(v, "certificate.selfsigned", name, s.opt.Certificates.Fingerprint()); err != nil {
		return err
	}
	return v.done("/admin/certificates", "A self-signed certificate is in use. What was there before is kept beside it with .old at the end.")
}

func (s *Server) noteCertificate(v *visit, event, name, fingerprint string) error {
	by := v.actor()
	return s.opt.Identity.Record(v.ctx(), identity.AuditEvent{Event: event, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: name, Result: "ok", Detail: "SHA-256 " + fingerprint})
}
