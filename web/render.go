package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"trivium/identity"
)

//go:embed templates/*.html
var templateFS embed.FS

// renderer holds one template per page: the layout, the parts, and the page's own `main`. Each is a copy
// of them all, so a page is parsed when it is first shown: most pages never are, and all of them
// together take more memory than the rest of a server that rests.
type renderer struct {
	pages map[string]func() (*template.Template, error)
}

func newRenderer(assets *assetSet) (*renderer, error) {
	base, err := template.New("").Funcs(template.FuncMap{
		"asset": assets.url, "vendor": assets.vendor, "icon": icon, "bytes": formatBytes, "add": func(a, b int) int { return a + b },
		"level": levelLabel, "initial": initial, "audit": newAuditTable, "lower": strings.ToLower, "withCSRF": withCSRF, "sprint": fmt.Sprint,
	}).Option("missingkey=error").ParseFS(templateFS, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parsing the templates: %w", err)
	}
	r := &renderer{pages: map[string]func() (*template.Template, error){}}
	names, err := fs.Glob(templateFS, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("listing the templates: %w", err)
	}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		r.pages[name] = sync.OnceValues(func() (*template.Template, error) {
			t, err := base.Clone()
			if err == nil {
				t, err = t.ParseFS(templateFS, file)
			}
			if err != nil {
				return nil, fmt.Errorf("parsing the page %s: %w", name, err)
			}
			return t, nil
		})
	}
	return r, nil
}

// execute renders a whole page into memory, so that a fault never leaves half of one.
func (r *renderer) execute(name string, view any) ([]byte, error) {
	return r.executePart(name, "layout", view)
}

// executePart is execute for a piece of a page.
func (r *renderer) executePart(name, part string, view any) ([]byte, error) {
	page, ok := r.pages[name]
	if !ok {
		return nil, fmt.Errorf("no page %q", name)
	}
	t, err := page()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := t.ExecuteTemplate(&buf, part, view); err != nil {
		return nil, fmt.Errorf("rendering %s of the page %s: %w", part, name, err)
	}
	return buf.Bytes(), nil
}

// writePart sends a piece of a page alone, for a script that has the rest of it.
func (s *Server) writePart(v *visit, name, part string, view any) error {
	b, err := s.render.executePart(name, part, view)
	if err != nil {
		return err
	}
	return v.HTMLBlob(http.StatusOK, b)
}

func (s *Server) write(v *visit, status int, name string, view any) error {
	b, err := s.render.execute(name, view)
	if err != nil {
		return err
	}
	return s.packer.page(v, status, b)
}

// page is what the layout needs; every view embeds it.
type page struct {
	ID, Title, Site, Version string
	Held                     identity.Level // the visitor's level
	Me, MyName               string         // the visitor's name and display name
	CSRF                     string
	Nav                      []navGroup
	Flash                    *flash
	RequestID                string
	Theme                    string // light, dark or "" for the system's
	Live                     string // address of the page's event stream; "" where it has none
	LoginHref                string // where a visitor logs in; "" on the log-in and when logged in
	Problems                 []problem
	Zone                     string // what the session knows of the browser's clock, for the script; "" where there is no session
	zone                     *time.Location
	times                    timeForm
	now                      time.Time
}

// problem is a row of the error summary; Field is the ID of the input that it is about.
type problem struct{ Field, Text string }

type navGroup struct {
	Name  navGroupName
	Items []navItem
}

type navItem struct {
	Label, Href, Icon string
	Here              bool
}

// fill makes the layout's part of a view.
func (v *visit) fill(p *page, id, title string) {
	s := v.server
	p.ID, p.Title, p.Site, p.Version, p.Held = id, title, s.opt.SiteName, s.opt.Version, v.level
	p.Me, p.RequestID, p.zone, p.times, p.now = v.creds.User, requestID(v.Request()), v.zone, v.times, s.now()
	if p.MyName = v.creds.Profile.Name; p.MyName == "" {
		p.MyName = p.Me
	}
	if c, err := v.Request().Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		p.Theme = c.Value
	}
	if !v.known && id != "login" && id != "setup" && id != "error" { // an error page has its own
		p.LoginHref = "/login"
	}
	if v.browser == nil {
		return
	}
	p.CSRF, p.Zone = maskedToken(v.browser.CSRFToken()), v.zoneNoted()
	if v.route != nil && id != "error" && v.Request().Method != http.MethodHead && v.Request().Header.Get(partHeader) != partRows {
		p.Flash = s.flashes.take(v.browser.ID())
	}
	if v.known {
		p.Nav = s.navigation(v)
	}
}

// partHeader with partRows marks the requests of live.js, which take rows out of a page and show
// no flash.
const (
	partHeader = "X-Trivium-Part"
	partRows   = "rows"
)

// navOrder is how the navigation stands, by the IDs of its pages: what belongs together, whoever's rows it
// comes from.
func navOrder() []string {
	return []string{"home", "files", "trash", "shares", "groups", "sessions", "tokens", "security", "account",
		"admin", "admin.users", "admin.invites", "admin.groups", "admin.import", "admin.sessions", "admin.bans", "admin.policy",
		"admin.sources", "admin.applications", "admin.audit", "admin.config"}
}

// inNavigation are the rows that the navigation has, in its order.
func inNavigation(routes []route) (list []*route) {
	for i := range routes {
		if routes[i].nav != "" {
			list = append(list, &routes[i])
		}
	}
	order := navOrder()
	slices.SortStableFunc(list, func(a, b *route) int { return slices.Index(order, a.Page) - slices.Index(order, b.Page) })
	return list
}

// navigation lists what the session may open, and nothing else.
func (s *Server) navigation(v *visit) []navGroup {
	here := ""
	if v.route != nil {
		here = v.route.Page
	}
	var groups []navGroup
	for _, r := range s.nav {
		if !v.may(r) {
			continue
		}
		if len(groups) == 0 || groups[len(groups)-1].Name != r.group {
			groups = append(groups, navGroup{Name: r.group})
		}
		g := &groups[len(groups)-1]
		g.Items = append(g.Items, navItem{Label: r.nav, Href: strings.TrimSuffix(r.Path, "*"), Icon: r.icon, Here: r.Page == here})
	}
	return groups
}

// May reports whether the navigation leads to a page, for links to it elsewhere.
func (p *page) May(href string) bool {
	for _, g := range p.Nav {
		for _, i := range g.Items {
			if i.Href == href {
				return true
			}
		}
	}
	return false
}

// base is the layout's part of any view.
func (p *page) base() *page { return p }

// auditTable is what the template "audit" shows.
type auditTable struct {
	Base     *page
	Rows     []auditRow
	Filtered bool
}

func newAuditTable(view interface{ base() *page }, rows []auditRow) auditTable {
	a, ok := view.(*auditView)
	return auditTable{Base: view.base(), Rows: rows, Filtered: ok && a.Filtered}
}

// initial is the letter of the account menu.
func initial(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return ""
}

// Stamp prepares a time for the template "time": relative, with the exact one beside it.
func (p *page) Stamp(t time.Time) stamp {
	if t.IsZero() || t.Unix() == 0 {
		return stamp{}
	}
	zone, form := p.zone, p.times
	if zone == nil {
		zone = time.UTC
	}
	if form == (timeForm{}) {
		form = isoForm
	}
	return stamp{ISO: t.UTC().Format(time.RFC3339), Exact: t.In(zone).Format(form.moment), Relative: relative(p.now, t.In(zone), form.date)}
}

// StampOf is Stamp for times that may be absent.
func (p *page) StampOf(t *time.Time) stamp {
	if t == nil {
		return stamp{}
	}
	return p.Stamp(*t)
}

type stamp struct{ ISO, Exact, Relative string }

// trouble adds a row to the error summary and to the field it is about.
func (p *page) trouble(f *field, text string) {
	f.Error = text
	p.Problems = append(p.Problems, problem{Field: f.ID, Text: text})
}

// field is a labelled input with its help and its error (template "field").
type field struct {
	ID, Name, Label, Type, Value, Help, Error, Autocomplete, List string
	Mode                                                          string // of the keyboard on a phone: "numeric"
	Required, Focus, Strength                                     bool
	Rows                                                          int // above 1: a textarea
	Options                                                       []option
}

type option struct {
	Value, Label string
	Selected     bool
}

// choose marks the option of the value.
func (f field) choose(value string) field {
	opts := make([]option, len(f.Options))
	for i, o := range f.Options {
		o.Selected = o.Value == value
		opts[i] = o
	}
	f.Options, f.Value = opts, value
	return f
}

// queryEscape is for values in a query.
func queryEscape(s string) string { return url.QueryEscape(s) }

// pathOf joins segments, each escaped, into an address.
func pathOf(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}
