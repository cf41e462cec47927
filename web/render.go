package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"trivium/identity"
	"trivium/web/text"
)

//go:embed templates/*.html
var templateFS embed.FS

// renderer holds one template per page and language: the layout, the parts, and the page's own `main`. Each
// is a copy of them all, so a page is parsed when it is first shown in a language: most pages never are, and
// all of them together take more memory than the rest of a server that rests.
type renderer struct {
	english *text.Language
	sets    map[*text.Language]pageSet
	pages   sync.Pool // of *bytes.Buffer
}

// pageSet is the pages in one language, by name.
type pageSet map[string]func() (*template.Template, error)

func newRenderer(assets *assetSet, languages *text.Set, under below) (*renderer, error) {
	names, err := fs.Glob(templateFS, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("listing the templates: %w", err)
	}
	r := &renderer{sets: map[*text.Language]pageSet{}}
	for _, words := range languages.Languages() {
		if r.english == nil {
			r.english = words
		}
		base := sync.OnceValues(func() (*template.Template, error) {
			t := template.New("").Funcs(template.FuncMap{
				"asset": assets.url, "vendor": assets.vendor, "icon": icon, "bytes": words.Bytes, "add": func(a, b int) int { return a + b },
				"level": func(l identity.Level) string { return levelLabel(words, l) }, "levelword": func(l identity.Level) string { return levelWord(words, l) }, "initial": initial, "audit": newAuditTable, "lower": strings.ToLower,
				"withCSRF": withCSRF, "sprint": fmt.Sprint, "t": words.T, "w": func(s string) string { return words.T(s) }, "event": func(s string) string { return eventWord(words, s) }, "recorded": func(s string) string { return recordedWord(words, s) }, "method": func(m identity.Method) string { return wordOf(words, "event.method_"+string(m), string(m)) }, "via": func(s string) string { return viaWord(words, s) }, "said": func(s string) string { return words.Echo("service", s) }, "found": func(s string) string { return words.Echo("finding", s) }, "h": func(key string, args ...any) template.HTML { return under.markup(words.H(key, args...)) }, "below": under.value, "markup": under.markup, "root": func() string { return string(under) }, "number": words.Number, "when": whenIn(words), "copied": copiedIn(words), "languages": languages.Languages, "scriptWords": sync.OnceValue(func() template.HTML { return scriptWords(r.english, words) }),
			}).Option("missingkey=error")
			for _, name := range []string{"layout", "parts"} {
				if err := parseIn(t, assets, words, "templates/"+name+".html", under); err != nil {
					return nil, err
				}
			}
			return t, nil
		})
		pages := pageSet{}
		for _, file := range names {
			name := strings.TrimSuffix(path.Base(file), ".html")
			if name == "layout" || name == "parts" {
				continue
			}
			pages[name] = sync.OnceValues(func() (*template.Template, error) {
				t, err := base()
				if err != nil {
					return nil, err
				}
				if t, err = t.Clone(); err != nil {
					return nil, fmt.Errorf("preparing the page %s: %w", name, err)
				}
				if err := parseIn(t, assets, words, file, under); err != nil {
					return nil, err
				}
				return t, nil
			})
		}
		r.sets[words] = pages
	}
	// A fault of the parts stops the start.
	_, err = r.page(r.english, "error")
	return r, err
}

// scriptWords are the texts of the scripts by their English ones, as words.js reads them; nothing in English.
func scriptWords(english, words *text.Language) template.HTML {
	if words == english {
		return ""
	}
	said := map[string]string{}
	for _, key := range english.Keys() {
		if strings.HasPrefix(key, "script.") {
			said[english.Written(key)] = words.Written(key)
		}
	}
	b, err := json.Marshal(said)
	if err != nil { // strings always can be
		return ""
	}
	return template.HTML(`<template id="words">` + template.HTMLEscapeString(string(b)) + "</template>\n") //nolint:gosec // escaped
}

// What is the same whenever a page is shown: a text that needs no arguments, an icon, the address of an asset.
var (
	constant = regexp.MustCompile(`\{\{([th]) "([a-z0-9_.-]+)"\}\}`)
	anIcon   = regexp.MustCompile(`\{\{icon "([a-z0-9_-]+)"\}\}`)
	anAsset  = regexp.MustCompile(`\{\{asset "([a-z0-9_./-]+)"\}\}`)
)

// parseIn adds the templates of a file. Texts without arguments become part of them, so that a page in many
// words costs no more than one in few; icons and addresses of assets likewise.
func parseIn(t *template.Template, assets *assetSet, words *text.Language, file string, under below) error {
	b, err := templateFS.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the template %s: %w", file, err)
	}
	var missing error
	b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte(`{{lang}}`), []byte(words.Tag)), []byte(`{{dir}}`), []byte(words.Dir))
	source := constant.ReplaceAllStringFunc(string(b), func(action string) string {
		m := constant.FindStringSubmatch(action)
		plain, marked, ok := words.Plain(m[2])
		if !ok || marked != (m[1] == "h") {
			missing = errors.Join(missing, fmt.Errorf("there is no text %s for %s without arguments", m[2], m[1]))
		}
		return plain
	})
	source = anIcon.ReplaceAllStringFunc(source, func(action string) string { return string(icon(anIcon.FindStringSubmatch(action)[1])) })
	source = anAsset.ReplaceAllStringFunc(source, func(action string) string {
		at, err := assets.url(anAsset.FindStringSubmatch(action)[1])
		missing = errors.Join(missing, err)
		return at
	})
	if missing == nil {
		_, missing = t.New(path.Base(file)).Parse(under.template(source))
	}
	if missing != nil {
		return fmt.Errorf("parsing the template %s: %w", file, missing)
	}
	return nil
}

// page finds a page's template in a language; nil is English.
func (r *renderer) page(words *text.Language, name string) (*template.Template, error) {
	if words == nil {
		words = r.english
	}
	page, ok := r.sets[words][name]
	if !ok {
		return nil, fmt.Errorf("no page %q", name)
	}
	return page()
}

// execute renders a whole page into memory, so that a fault never leaves half of one. It is good until the
// memory is put back.
func (r *renderer) execute(name string, view any) (*bytes.Buffer, error) {
	return r.executePart(name, "layout", view)
}

// executePart is execute for a piece of a page, in the language of the view.
func (r *renderer) executePart(name, part string, view any) (*bytes.Buffer, error) {
	var words *text.Language
	if p, ok := view.(interface{ base() *page }); ok {
		words = p.base().words
	}
	t, err := r.page(words, name)
	if err != nil {
		return nil, err
	}
	buf, ok := r.pages.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	if err := t.ExecuteTemplate(buf, part, view); err != nil {
		r.done(buf)
		return nil, fmt.Errorf("rendering %s of the page %s: %w", part, name, err)
	}
	return buf, nil
}

// mostKept is the largest page whose memory is kept for the next, bytes.
const mostKept = 256 << 10

// done puts the memory of a page back.
func (r *renderer) done(page *bytes.Buffer) {
	if page.Cap() <= mostKept {
		r.pages.Put(page)
	}
}

// writePart sends a piece of a page alone, for a script that has the rest of it.
func (s *Server) writePart(v *visit, name, part string, view any) error {
	b, err := s.render.executePart(name, part, view)
	if err != nil {
		return err
	}
	defer s.render.done(b)
	return v.HTMLBlob(http.StatusOK, b.Bytes())
}

func (s *Server) write(v *visit, status int, name string, view any) error {
	b, err := s.render.execute(name, view)
	if err != nil {
		return err
	}
	defer s.render.done(b)
	return s.packer.page(v, status, b.Bytes())
}

// page is what the layout needs; every view embeds it.
type page struct {
	ID, Title, Site, Version string
	Held                     identity.Level // the visitor's level
	Me, MyName               string         // the visitor's name and display name
	Picture                  string         // address of the visitor's; empty where there is none
	CSRF                     string
	Nav                      []navGroup
	Flash                    *flash
	Banners                  []banner
	RequestID                string
	Theme                    string // light, dark or "" for the system's
	Live                     string // address of the page's event stream; "" where it has none
	LoginHref                string // where a visitor logs in; "" on the log-in and when logged in
	Unread                   int    // notifications; shown in the header
	Problems                 []problem
	KeysOff                  bool   // keys are no shortcuts
	Zone                     string // what the session knows of the browser's clock, for the script; "" where there is no session
	zone                     *time.Location
	times                    timeForm
	now                      time.Time
	words                    *text.Language
}

// Now is when the page was made.
func (p *page) Now() time.Time { return p.now }

// T is a text in the visitor's language.
func (p *page) T(key string, args ...any) string { return p.words.T(key, args...) }

// Ago is how the page's script writes times that go by.
func (p *page) Ago() string {
	return strings.Join([]string{p.T("time.just_now"), p.T("time.ago_seconds", "#"), p.T("time.ago_minutes", "#"), p.T("time.ago_hours", "#")}, "|")
}

// Language is the one of the page, for the attributes lang and dir.
func (p *page) Language() *text.Language { return p.words }

// problem is a row of the error summary; Field is the ID of the input that it is about.
type problem struct{ Field, Text string }

type navGroup struct {
	Label string
	Items []navItem
}

type navItem struct {
	Label, Href, Icon string
	Here              bool
}

// fill makes the layout's part of a view.
func (v *visit) fill(p *page, id, title string) {
	s := v.server
	p.ID, p.Title, p.Site, p.Version, p.Held = id, v.T(title), s.opt.SiteName, s.opt.Version, v.level
	p.Me, p.RequestID, p.zone, p.times, p.now, p.words = v.creds.User, requestID(v.Request()), v.zone, v.times, s.now(), v.words
	if p.MyName = v.creds.Profile.Name; p.MyName == "" {
		p.MyName = p.Me
	}
	if c, err := v.Request().Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		p.Theme = c.Value
	}
	p.KeysOff = v.creds.Profile.KeysOff || v.keeps(keysCookie, "off")
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
		p.Nav, p.Picture = s.navigation(v), v.picture()
		n, err := s.opt.Identity.Unseen(v.ctx(), v.creds.UserID)
		if err != nil { // a page is worth more than the number on it
			s.log.Warn("unread notifications were not counted", "err", err)
		}
		p.Unread = n
		if v.Request().Header.Get(partHeader) != partRows {
			p.Banners = v.banners()
		}
	}
}

// partHeader with partRows marks the requests of live.js, which take rows out of a page and show
// no flash.
const (
	partHeader = "X-Trivium-Part"
	partRows   = "rows"
)

// navPart is a part of the navigation: what belongs together, whoever's rows it comes from.
type navPart struct {
	name string // nav.group_NAME in the catalogues
	rows []*route
}

// navParts are the parts in their order, by the IDs of their pages.
func navParts() []struct {
	name  string
	pages []string
} {
	return []struct {
		name  string
		pages []string
	}{
		{"you", []string{"home", "notifications", "files", "trash", "shares", "chat", "contacts", "groups", "sessions", "activity", "tokens", "security", "account"}},
		{"administration", []string{"admin", "admin.sessions", "admin.transfers", "admin.announcements", "admin.bans", "admin.audit"}},
		{"people", []string{"admin.users", "admin.invites", "admin.groups", "admin.import", "admin.sources", "admin.applications"}},
		{"server", []string{"admin.doctor", "admin.policy", "admin.webhooks", "admin.backups", "admin.certificates", "admin.config", "admin.maintenance", "admin.about"}},
	}
}

// inNavigation are the rows that the navigation has, in its order.
func inNavigation(routes []route) (list []navPart) {
	for _, p := range navParts() {
		part := navPart{name: p.name}
		for _, id := range p.pages {
			for i := range routes {
				if routes[i].nav != "" && routes[i].Page == id {
					part.rows = append(part.rows, &routes[i])
				}
			}
		}
		list = append(list, part)
	}
	return list
}

// navigation lists what the session may open, and nothing else.
func (s *Server) navigation(v *visit) []navGroup {
	here := ""
	if v.route != nil {
		here = v.route.Page
	}
	var groups []navGroup
	for _, part := range s.nav {
		g := navGroup{Label: v.T("nav.group_" + part.name)}
		for _, r := range part.rows {
			if v.may(r) {
				g.Items = append(g.Items, navItem{Label: v.navLabel(r), Href: strings.TrimSuffix(r.Path, "*"), Icon: r.icon, Here: r.Page == here})
			}
		}
		if len(g.Items) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// Menu is the navigation as markup. A template would take a good part of a page's time for it, as each of its
// pieces is found by name and escaped by a function of its own.
func (p *page) Menu() template.HTML {
	var b strings.Builder
	write := func(parts ...string) {
		for _, s := range parts {
			b.WriteString(s)
		}
	}
	for _, g := range p.Nav {
		label := template.HTMLEscapeString(g.Label)
		write(`<nav aria-label="`, label, "\">\n<p class=\"nav-title\" aria-hidden=\"true\">", label, "</p>\n<ul>\n")
		for _, i := range g.Items {
			write(`<li><a href="`, template.HTMLEscapeString(i.Href), `"`)
			if i.Here {
				write(` aria-current="page"`)
			}
			write(`>`, string(icon(i.Icon)), `<span>`, template.HTMLEscapeString(i.Label), "</span></a></li>\n")
		}
		write("</ul>\n</nav>\n")
	}
	return template.HTML(b.String()) //nolint:gosec // escaped
}

// Layout is the layout's part of a view; a template finds its fields faster there than through the view.
func (p *page) Layout() *page { return p }

// navLabel is what the navigation calls a page: nav.admin_users for the page admin.users.
func (v *visit) navLabel(r *route) string {
	key := "nav." + strings.ReplaceAll(r.Page, ".", "_")
	if !v.words.Has(key) {
		return r.nav
	}
	return v.T(key)
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
	Raw      bool // the names of events are shown as the filter and the command line have them
}

func newAuditTable(view interface{ base() *page }, rows []auditRow) auditTable {
	a, ok := view.(*auditView)
	_, own := view.(*activityView)
	return auditTable{Base: view.base(), Rows: rows, Filtered: ok && a.Filtered, Raw: !own}
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
	return stamp{ISO: t.UTC().Format(time.RFC3339), Exact: t.In(zone).Format(form.moment), Relative: relative(p.words, p.now, t.In(zone), form.date)}
}

// StampOf is Stamp for times that may be absent.
func (p *page) StampOf(t *time.Time) stamp {
	if t == nil {
		return stamp{}
	}
	return p.Stamp(*t)
}

type stamp struct{ ISO, Exact, Relative string }

// Near is how far away it is; "" where that is said by the date, as of what is far away.
func (s stamp) Near() string {
	if strings.HasPrefix(s.Exact, s.Relative) {
		return ""
	}
	return s.Relative
}

// whenIn is the template "time" as a value, for texts that have one in their middle.
func whenIn(words *text.Language) func(stamp) template.HTML {
	return func(s stamp) template.HTML {
		if s.ISO == "" {
			return template.HTML(`<span class="muted">` + template.HTMLEscapeString(words.T("common.never")) + `</span>`) //nolint:gosec // escaped
		}
		return template.HTML(`<time datetime="` + s.ISO + `" title="` + template.HTMLEscapeString(s.Exact) + `">` + template.HTMLEscapeString(s.Relative) + `</time>`) //nolint:gosec // escaped
	}
}

// trouble adds a row to the error summary and to the field it is about.
func (p *page) trouble(f *field, text string) {
	text = p.T(text)
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
