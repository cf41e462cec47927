package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"trivium/identity"
)

type homeView struct {
	page
	Account accountCard
	Address string // JID and general address
	Quota   *quota
	Cards   []connectCard
	Contact string
}

// connectCard says how to use the account over one road.
type connectCard struct {
	ID, Title, Icon, Security string
	Rows                      []copyField
	Plain                     bool // no TLS: worth a warning
}

// copyField is a value to copy: a readonly input, and a button where script runs.
type copyField struct{ ID, Label, Value string }

func (s *Server) getHome(v *visit) error {
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	view := &homeView{Account: s.card(a), Address: v.creds.BareJID(), Contact: s.opt.AdminContact,
		Cards: s.cards(v)}
	v.fill(&view.page, "home", "Connect")
	view.Quota = s.quota(v, &view.page, "/")
	return s.write(v, http.StatusOK, "home", view)
}

// cards makes one card per road that is on, in a fixed order; of several listeners of a road the
// encrypted one is shown first.
func (s *Server) cards(v *visit) []connectCard {
	by := map[string]Bound{}
	for _, b := range s.opt.Listeners() {
		if _, ok := by[b.Name]; !ok {
			by[b.Name] = b
		}
	}
	user := v.creds.User
	var cards []connectCard
	add := func(c connectCard, rows ...copyField) {
		for i := range rows {
			rows[i].ID = c.ID + "-" + strings.ToLower(strings.ReplaceAll(rows[i].Label, " ", "-"))
		}
		c.Rows = rows
		cards = append(cards, c)
	}
	if b, ok := by["ftp"]; ok {
		host, port := s.endpoint(b.Addr)
		c := connectCard{ID: "ftp", Title: "Files: FTP", Icon: "folder", Security: "Explicit FTP over TLS", Plain: b.TLS == "none"}
		if c.Plain {
			c.Security = inTheClear
		}
		add(c, copyField{Label: "Server", Value: host}, copyField{Label: "Port", Value: port}, copyField{Label: "User", Value: user},
			copyField{Label: "One line", Value: "lftp -u " + user + " " + address("ftp", host, port, "21")})
	}
	if b, ok := by["ftps"]; ok {
		host, port := s.endpoint(b.Addr)
		add(connectCard{ID: "ftps", Title: "Files: FTPS", Icon: "folder", Security: "Implicit TLS"},
			copyField{Label: "Server", Value: host}, copyField{Label: "Port", Value: port}, copyField{Label: "User", Value: user},
			copyField{Label: "One line", Value: "lftp -u " + user + " " + address("ftps", host, port, "990")})
	}
	if s.opt.DAV != nil {
		base := s.base(v.Request())
		add(overHTTP(connectCard{ID: "dav", Title: "Files: WebDAV", Icon: "folder", Security: "HTTPS"}, base), copyField{Label: "Address", Value: base + "/dav/"}, copyField{Label: "User", Value: user},
			copyField{Label: "One line", Value: "curl -u " + user + " -T FILE " + base + "/dav/"})
	}
	for _, n := range []struct{ name, title, security string }{
		{"xmpp", "Chat: XMPP", "STARTTLS"}, {"xmpps", "Chat: XMPP", "Direct TLS"},
	} {
		b, ok := by[n.name]
		if _, first := by["xmpp"]; !ok || n.name == "xmpps" && first {
			continue
		}
		host, port := s.endpoint(b.Addr)
		rows := []copyField{{Label: "Address", Value: v.creds.BareJID()}, {Label: "Server", Value: host}, {Label: "Port", Value: port}}
		if d, ok := by["xmpps"]; ok && n.name == "xmpp" {
			_, direct := s.endpoint(d.Addr)
			rows = append(rows, copyField{Label: "Direct TLS port", Value: direct})
		}
		add(connectCard{ID: "xmpp", Title: n.title, Icon: "chat", Security: n.security}, rows...)
	}
	if s.opt.API != nil {
		base := s.base(v.Request())
		add(overHTTP(connectCard{ID: "api", Title: "Scripts: API", Icon: "code", Security: "HTTPS; an app password of scope API is the bearer token"}, base),
			copyField{Label: "Address", Value: base + "/api/v1"},
			copyField{Label: "One line", Value: `curl -H "Authorization: Bearer $TOKEN" ` + base + "/api/v1/sessions"})
	}
	return cards
}

const inTheClear = "None: the password travels in the clear"

// overHTTP warns where the address of a card has no TLS.
func overHTTP(c connectCard, base string) connectCard {
	if c.Plain = strings.HasPrefix(base, "http:"); c.Plain {
		c.Security = inTheClear
	}
	return c
}

// endpoint is how a client reaches a listener: by our domain, or by the loopback address that it
// is bound to.
func (s *Server) endpoint(addr string) (host, port string) {
	h, port, err := net.SplitHostPort(addr)
	if err != nil {
		return s.opt.Domain, ""
	}
	if a, err := netip.ParseAddr(h); err == nil && a.IsLoopback() {
		return h, port
	}
	return s.opt.Domain, port
}

func address(scheme, host, port, usual string) string {
	u := url.URL{Scheme: scheme, Host: host}
	if port != usual {
		u.Host = net.JoinHostPort(host, port)
	}
	return u.String()
}

// base is the address of these pages as people see it: configured, or the listener's own; never
// what the client's Host header says.
func (s *Server) base(r *http.Request) string {
	if u := strings.TrimRight(s.opt.Config.PublicURL, "/"); u != "" {
		return u
	}
	scheme, want, usual := "http", "none", "80"
	if s.secure(r) {
		scheme, want, usual = "https", "yes", "443"
	}
	for _, b := range s.Addrs() {
		if b.TLS == want {
			host, port := s.endpoint(b.Addr)
			return address(scheme, host, port, usual)
		}
	}
	return scheme + "://" + s.opt.Domain
}

// loginAttempts are the rows of the audit log about one account's log-ins.
func (s *Server) loginAttempts(v *visit, user string) ([]auditRow, error) {
	list, err := s.opt.Identity.Audit(v.ctx(), identity.AuditFilter{Event: "login.*", Subject: user, Limit: 20, Since: s.now().Add(-attemptsFor)})
	if err != nil {
		return nil, err
	}
	rows := make([]auditRow, len(list))
	for i, e := range list {
		rows[i] = auditRow{AuditEvent: e}
	}
	return rows, nil
}
