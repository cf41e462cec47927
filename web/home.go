package web

import (
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"trivium/identity"
	"trivium/web/text"
)

type homeView struct {
	page
	Account accountCard
	Address string // JID and general address
	Quota   *quota
	Cards   []connectCard
	Contact string
	Factor  bool // the account has a second factor: most ways want an app password
	Testing bool // connections can be tested
}

// connectCard says how to use the account in one way.
type connectCard struct {
	ID, Road, Title, Icon, Security string      // Security is a key of the catalogue until the card is added
	Rows, Lines                     []copyField // what clients ask for; commands
	Plain                           bool        // no TLS: worth a warning
	Open                            template.URL
	QR                              template.HTML
	Code                            string // what the QR code says
	Clients                         []clientHelp
	Site                            bool // there is a file for FileZilla
	Share                           string
	Steps                           []stepRow // of a test that was made without script
	Refused                         string    // why there was none
}

// copyField is a value to copy: a readonly input, and a button where script runs.
type copyField struct{ ID, Label, Value string }

// clientHelp says what to type where in a program; Text is a key of the catalogue.
type clientHelp struct{ Name, Text string }

func (s *Server) getHome(v *visit) error { return s.showHome(v, "", nil, "") }

// showHome shows the page, with the steps of a test in the card of its road.
func (s *Server) showHome(v *visit, road string, steps []stepRow, refused string) error {
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	view := &homeView{Account: s.card(a), Address: v.creds.BareJID(), Contact: s.opt.AdminContact,
		Factor: a.Factors != 0, Testing: s.opt.TestConnection != nil}
	if view.Cards, err = s.cards(v, a); err != nil {
		return err
	}
	for i := range view.Cards {
		if c := &view.Cards[i]; c.Road == road {
			c.Steps, c.Refused = steps, refused
		}
	}
	v.fill(&view.page, "home", "home.title")
	view.Quota = s.quota(v, &view.page, "/")
	status := http.StatusOK
	if refused != "" {
		status = http.StatusTooManyRequests
	}
	return s.write(v, status, "home", view)
}

// ways are the roads that are open to the visitor's account.
func (s *Server) ways(v *visit, a identity.Account) (ftp, web, xmpp bool) {
	open := func(r identity.Road) bool {
		return (len(a.Roads) == 0 || slices.Contains(a.Roads, r)) && s.opt.Identity.Allowed(v.session(), identity.Resource("login:"+string(r)))
	}
	return open(identity.RoadFTP), open(identity.RoadWeb), open(identity.RoadXMPP)
}

// cards makes one card per way that is on and open to the account, in a fixed order.
func (s *Server) cards(v *visit, a identity.Account) ([]connectCard, error) {
	by := map[string]Bound{}
	for _, b := range s.opt.Listeners() {
		if _, ok := by[b.Name]; !ok {
			by[b.Name] = b
		}
	}
	ftp, web, xmpp := s.ways(v, a)
	var cards []connectCard
	add := func(c connectCard, ok bool) {
		if !ok {
			return
		}
		for _, list := range [][]copyField{c.Rows, c.Lines} {
			for i := range list {
				name := strings.ToLower(strings.ReplaceAll(list[i].Label, " ", "-"))
				list[i].ID = c.ID + "-" + name
				if key := "home.label_" + strings.ReplaceAll(name, "-", "_"); v.words.Has(key) {
					list[i].Label = v.T(key)
				}
			}
		}
		c.Title, c.Security = v.T("home.way_"+c.ID), v.T("home.security_"+c.Security)
		cards = append(cards, c)
	}
	if ftp {
		c, ok := s.ftpCard(v, by)
		add(c, ok)
	}
	if web && s.opt.DAV != nil {
		add(s.davCard(v), true)
	}
	if xmpp {
		c, ok := s.xmppCard(v, by)
		add(c, ok)
	}
	if web && s.opt.API != nil {
		base := s.base(v.Request())
		add(overHTTP(connectCard{ID: "api", Road: "api", Icon: "code", Security: "https",
			Rows:  []copyField{{Label: "Address", Value: base + "/api/v1"}, {Label: "Document", Value: base + "/api/v1/openapi.json"}},
			Lines: []copyField{{Label: "curl", Value: `curl -H "Authorization: Bearer $TOKEN" ` + base + "/api/v1/me"}}}, base), true)
	}
	for i, c := range cards {
		if c.Code == "" {
			continue
		}
		svg, err := s.drawings.SVG(c.Code)
		if err != nil {
			return nil, err
		}
		cards[i].QR = template.HTML(svg) //nolint:gosec // drawn here, of nothing but numbers
	}
	return cards, nil
}

// ftpCard is about explicit TLS, and implicit where that is on alone; where both are, it has both ports.
func (s *Server) ftpCard(v *visit, by map[string]Bound) (connectCard, bool) {
	b, explicit := by["ftp"]
	i, implicit := by["ftps"]
	user := v.creds.User
	c := connectCard{ID: "ftp", Road: "ftp", Icon: "folder", Security: "explicit", Site: true,
		Clients: []clientHelp{{"FileZilla", "home.client_filezilla"}, {"WinSCP", "home.client_winscp"}, {"Cyberduck", "home.client_cyberduck"}, {"lftp", "home.client_lftp"}}}
	scheme, usual := "ftp", "21"
	switch {
	case !explicit && !implicit:
		return c, false
	case !explicit:
		b, scheme, usual, c.Security = i, "ftps", "990", "implicit"
	case b.TLS == "none":
		c.Plain, c.Security = true, inTheClear
	}
	host, port := s.endpoint(b.Addr)
	at := address(scheme, host, port, usual)
	c.Rows = []copyField{{Label: "Server", Value: host}, {Label: "Port", Value: port}, {Label: "User", Value: user}}
	if explicit && implicit {
		_, other := s.endpoint(i.Addr)
		c.Rows = append(c.Rows, copyField{Label: "Implicit TLS port", Value: other})
	}
	curl := "curl --ssl-reqd -u " + user + " " + at + "/"
	if c.Plain || scheme == "ftps" {
		curl = "curl -u " + user + " " + at + "/"
	}
	c.Lines = []copyField{{Label: "One line", Value: "lftp -u " + user + " " + at}, {Label: "curl", Value: curl}}
	c.Code = (&url.URL{Scheme: scheme, User: url.User(user), Host: strings.TrimPrefix(at, scheme+"://"), Path: "/"}).String()
	c.Open = template.URL(c.Code) //nolint:gosec // made here, by net/url
	return c, true
}

func (s *Server) davCard(v *visit) connectCard {
	base, user := s.base(v.Request()), v.creds.User
	at := base + "/dav/"
	c := connectCard{ID: "dav", Road: "dav", Icon: "folder", Security: "https", Code: at,
		Rows: []copyField{{Label: "Address", Value: at}, {Label: "User", Value: user}},
		Lines: []copyField{
			{Label: "curl", Value: "curl -u " + user + " -T FILE " + at},
			{Label: "rclone", Value: "rclone config create trivium webdav url=" + at + " vendor=other user=" + user},
			{Label: "Linux", Value: "sudo mount -t davfs " + at + " /mnt"},
			{Label: "Windows", Value: "net use T: " + at + " /user:" + user + " *"},
		},
		Clients: []clientHelp{{"Windows", "home.client_windows"}, {"macOS", "home.client_macos"}, {"GNOME, KDE", "home.client_linux"}, {"Cyberduck, WinSCP", "home.client_davapps"}}}
	return overHTTP(c, base)
}

func (s *Server) xmppCard(v *visit, by map[string]Bound) (connectCard, bool) {
	b, open := by["xmpp"]
	d, direct := by["xmpps"]
	c := connectCard{ID: "xmpp", Road: "xmpp", Icon: "chat", Security: "starttls",
		Clients: []clientHelp{{"Conversations, Monal", "home.client_phone"}, {"Gajim, Dino", "home.client_desktop"}, {"Psi, Pidgin", "home.client_psi"}}}
	switch {
	case !open && !direct:
		return c, false
	case !open:
		b, c.Security = d, "direct"
	}
	host, port := s.endpoint(b.Addr)
	jid := v.creds.BareJID()
	c.Rows = []copyField{{Label: "Address", Value: jid}, {Label: "Server", Value: host}, {Label: "Port", Value: port}}
	if open && direct {
		_, other := s.endpoint(d.Addr)
		c.Rows = append(c.Rows, copyField{Label: "Direct TLS port", Value: other})
	}
	c.Code = "xmpp:" + (&url.URL{Path: jid}).EscapedPath() // RFC 5122 section 2.2
	c.Open, c.Share = template.URL(c.Code), c.Code         //nolint:gosec // the parts are escaped
	return c, true
}

// inTheClear is what the security of a card without TLS is.
const inTheClear = "none"

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
			if s.opt.Domain == "localhost" {
				host = s.opt.Domain // as the set-up link has it: cookies and passkeys belong to a name
			}
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

// copiedIn is the markup of an address that can be copied. There are a score of them on the page, for which a
// template would take a third of its time.
func copiedIn(words *text.Language) func(copyField) template.HTML {
	button, within := template.HTMLEscapeString(words.T("home.copy")), strings.ToLower
	if !strings.HasPrefix(words.Tag, "en") { // nouns begin with a capital in some languages
		within = func(label string) string { return label }
	}
	return func(c copyField) template.HTML {
		id, label, value := template.HTMLEscapeString(c.ID), template.HTMLEscapeString(c.Label), template.HTMLEscapeString(c.Value)
		return template.HTML("\n" + `<div class="field copy-field"><label for="` + id + `">` + label + "</label>\n" + //nolint:gosec // escaped
			`<div class="copy"><input readonly id="` + id + `" value="` + value + `" data-testid="copy-value" spellcheck="false"><button type="button" data-copy="` + id + `" hidden>` +
			button + `<span class="sr"> ` + within(label) + `</span></button></div><span class="print-only">` + value + `</span></div>`)
	}
}
