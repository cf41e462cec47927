package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"trivium/identity"
)

// shown is what the browser has shown in the TLS handshake; nil where it has shown nothing, or is not
// asked. A proxy that ends TLS has none of it.
func (v *visit) shown() identity.Chain {
	if r := v.Request(); v.server.opt.Config.ClientCertificates && r.TLS != nil {
		return r.TLS.PeerCertificates
	}
	return nil
}

// certificateRow is a client certificate in a list.
type certificateRow struct {
	identity.Certificate
	Short      string // of the fingerprint, in groups
	Over       bool   // it has expired
	Here       bool   // the browser shows it
	RemovePath string
}

// certificateRows are those of an account; remove makes the path that removes one.
func (s *Server) certificateRows(v *visit, user string, remove func(fingerprint string) string) ([]certificateRow, error) {
	list, err := s.opt.Identity.Certificates(v.ctx(), user)
	if err != nil {
		return nil, err
	}
	here := ""
	if chain := v.shown(); len(chain) > 0 {
		here = identity.CertificateFingerprint(chain[0].Raw)
	}
	rows := make([]certificateRow, 0, len(list))
	for _, c := range list {
		rows = append(rows, certificateRow{c, grouped(c.Fingerprint), s.now().After(c.NotAfter), c.Fingerprint == here, remove(c.Fingerprint)})
	}
	return rows, nil
}

// grouped is a fingerprint as people compare it.
func grouped(fingerprint string) string {
	var b strings.Builder
	for i := 0; i < len(fingerprint); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(fingerprint[i:min(i+4, len(fingerprint))])
	}
	return b.String()
}

// postLoginCertificate logs in by the certificate that the browser shows. Whatever is wrong with it has
// one answer, as with passwords.
func (s *Server) postLoginCertificate(v *visit) error {
	view := newLoginView()
	view.Next, view.Stay, view.Login.Value = localPath(v.form("next")), v.form("stay") == "1", v.text("login")
	if v.known {
		if err := s.downgrade(v); err != nil {
			return err
		}
	}
	c, err := s.opt.Identity.Upgrade(v.ctx(), v.browser, identity.Login{Method: identity.MethodExternal, Name: view.Login.Value, Certificate: v.shown()}, view.Stay)
	if err == nil {
		s.keep(v, c)
		v.attach(v.browser)
		return v.see(view.Next)
	}
	a := answerTo(err)
	if a.fallback {
		return err
	}
	retryAfter(v.Response().Header(), err)
	text := a.words(v.words, err)
	switch {
	case len(v.shown()) == 0:
		text = "certificates.your_browser_has_shown_no_certificate"
	case errors.Is(err, identity.ErrCertificate):
		text = "certificates.your_certificate_alone_does_not_suffice"
		view.Password.Focus, view.Login.Focus = view.Login.Value != "", view.Login.Value == ""
	case errors.Is(err, identity.ErrCredentials), errors.Is(err, identity.ErrInvalid), errors.Is(err, identity.ErrDisabled), errors.Is(err, identity.ErrExpired), errors.Is(err, identity.ErrRoadClosed):
		text = "certificates.the_certificate_that_your_browser_shows"
	}
	view.Problems = append(view.Problems, problem{Field: "certificate", Text: text})
	return s.showLogin(v, a.status, view)
}

type certificateView struct {
	page
	Label, PEM field
	Shown      string // subject of the certificate that the browser shows; "": it shows none
	ShownPrint string
}

func (s *Server) getNewCertificate(v *visit) error {
	return s.showNewCertificate(v, http.StatusOK, &certificateView{}, "")
}

func (s *Server) showNewCertificate(v *visit, status int, view *certificateView, fault string) error {
	view.Label.ID, view.Label.Name, view.Label.Label, view.Label.Type = "label", "label", "common.name", "text"
	view.Label.Help = "certificates.in_your_words_such_as_laptop"
	view.PEM.ID, view.PEM.Name, view.PEM.Label, view.PEM.Rows = "pem", "pem", "certificates.certificate_pem", 8
	view.PEM.Help = "certificates.the_text_that_begins_with_begin"
	if chain := v.shown(); len(chain) > 0 {
		view.Shown, view.ShownPrint = chain[0].Subject.String(), grouped(identity.CertificateFingerprint(chain[0].Raw))
	}
	if fault != "" {
		view.trouble(&view.PEM, fault)
	}
	v.fill(&view.page, "security.certificate", "certificates.new_certificate")
	return s.write(v, status, "security_certificate", view)
}

func (s *Server) postNewCertificate(v *visit) error {
	view := &certificateView{}
	view.Label.Value, view.PEM.Value = v.text("label"), v.form("pem")
	if err := s.opt.Identity.MayManageCertificates(v.browser.Session); err != nil {
		return v.refused("/security", "certificates.no_certificate_was_added", err)
	}
	n := identity.NewCertificate{Label: view.Label.Value, Manages: v.form("manages") == "1"}
	var err error
	if v.form("shown") == "1" {
		if chain := v.shown(); len(chain) > 0 {
			n.DER = chain[0].Raw
		}
	} else {
		n.DER, err = identity.ParseCertificatePEM([]byte(view.PEM.Value))
	}
	var c identity.Certificate
	if err == nil {
		c, err = s.opt.Identity.AddCertificate(v.ctx(), v.actor(), v.creds.User, n)
	}
	switch {
	case errors.Is(err, identity.ErrInvalid), errors.Is(err, identity.ErrExists), errors.Is(err, identity.ErrCertificateRoom):
		a := answerTo(err)
		return s.showNewCertificate(v, a.status, view, a.words(v.words, err))
	case err != nil:
		return v.refused("/security", "certificates.no_certificate_was_added", err)
	}
	return v.done("/security#certificates", "certificates.the_certificate_was_added_it_lets", c.Label, v.date(c.NotAfter))
}

// clock is where the visitor's clock stands.
func (v *visit) clock() *time.Location {
	if v.zone != nil {
		return v.zone
	}
	return time.UTC
}

func (s *Server) postRemoveCertificate(v *visit) error {
	err := s.opt.Identity.MayManageCertificates(v.browser.Session)
	if err == nil {
		_, err = s.opt.Identity.RemoveCertificate(v.ctx(), v.actor(), v.creds.User, v.param("id"), false)
	}
	if err != nil {
		return v.refused("/security", "certificates.nothing_was_removed", absentAs(err, errGone))
	}
	return v.done("/security#certificates", "certificates.the_certificate_was_removed_and_what")
}

// postUserCertificate takes a certificate away from somebody.
func (s *Server) postUserCertificate(v *visit) error {
	a, name, err := s.target(v)
	if err != nil {
		return err
	}
	if a.ID == v.creds.UserID {
		return v.refused(userPath(name), "certificates.nothing_was_removed_your_own_certificates", identity.ErrRefused)
	}
	if _, err := s.opt.Identity.RemoveCertificate(v.ctx(), v.actor(), name, v.param("id"), false); err != nil {
		return v.refused(userPath(name), "certificates.nothing_was_removed", absentAs(err, errGone))
	}
	return v.done(userPath(name), "certificates.a_certificate_of_was_removed_and", name)
}
