package web

import (
	"errors"
	"net/http"
	"time"

	"trivium/identity"
	"trivium/tokens"
)

type tokensView struct {
	page
	Rows    []tokenRow
	Label   field
	Expires field
	Scopes  []scopeBox
	Presets []preset
	Preset  string
}

type tokenRow struct {
	tokens.Token
	RevokePath string
	Unused     bool // for 90 days
}

type scopeBox struct {
	Value, Label, Help string
	Checked            bool
}

// preset ticks the boxes for a purpose; it is a link, so it works without script.
type preset struct {
	ID, Label string
	Scopes    []tokens.Scope
}

var presets = []preset{
	{"ftp", "FTP client", []tokens.Scope{tokens.ScopeFTP}},
	{"chat", "Phone chat app", []tokens.Scope{tokens.ScopeXMPP}},
	{"dav", "WebDAV drive", []tokens.Scope{tokens.ScopeWeb}},
	{"script", "Script", []tokens.Scope{tokens.ScopeAPI}},
	{"scanner", "Scanner or camera", []tokens.Scope{tokens.ScopeFTP, tokens.ScopeFilesWrite}},
}

var scopeWords = map[tokens.Scope][2]string{
	tokens.ScopeFTP:        {"FTP", "log in over FTP and FTPS"},
	tokens.ScopeWeb:        {"Web", "HTTP with Basic or bearer credentials"},
	tokens.ScopeXMPP:       {"XMPP", "chat"},
	tokens.ScopeAPI:        {"API", "scripts and programs"},
	tokens.ScopeFilesRead:  {"Files: read", "with only this of the two, files can be read but not changed"},
	tokens.ScopeFilesWrite: {"Files: write", "files can be read and changed"},
	tokens.ScopeIntrospect: {"Introspection", "asks who sessions and tokens are, for services behind this server"},
	tokens.ScopeAdmin:      {"Administration", "without it the level is at most customer (20)"},
}

const unusedAfter = 90 * 24 * time.Hour

func newTokensView(v *visit) *tokensView {
	view := &tokensView{
		Label: field{ID: "label", Name: "label", Label: "Name", Type: "text", Required: true, Help: "Which app or device it is for."},
		Expires: field{ID: "expires", Name: "expires", Label: "Expires", Options: []option{
			{Value: "90", Label: "in 90 days"}, {Value: "365", Label: "in 1 year"}, {Value: "0", Label: "never"}}}.choose("365"),
		Presets: presets,
	}
	for _, sc := range tokens.Scopes() {
		if sc == tokens.ScopeAdmin && !v.level.Allows(identity.LevelStaff) || sc == tokens.ScopeIntrospect && !v.level.Allows(identity.LevelAdmin) {
			continue // it would lift a cap that is above them
		}
		w := scopeWords[sc]
		view.Scopes = append(view.Scopes, scopeBox{Value: string(sc), Label: w[0], Help: w[1]})
	}
	return view
}

func (t *tokensView) tick(scopes ...tokens.Scope) {
	for i := range t.Scopes {
		for _, s := range scopes {
			if t.Scopes[i].Value == string(s) {
				t.Scopes[i].Checked = true
			}
		}
	}
}

func (s *Server) getTokens(v *visit) error {
	view := newTokensView(v)
	for _, p := range presets {
		if p.ID == v.QueryParam("preset") {
			view.tick(p.Scopes...)
			view.Label.Value, view.Preset = p.Label, p.ID
		}
	}
	return s.showTokens(v, http.StatusOK, view)
}

func (s *Server) showTokens(v *visit, status int, view *tokensView) error {
	list, err := s.opt.Tokens.List(v.ctx(), v.creds.User)
	if err != nil {
		return err
	}
	for _, t := range list {
		used := t.CreatedAt
		if t.LastUsed != nil {
			used = *t.LastUsed
		}
		view.Rows = append(view.Rows, tokenRow{Token: t, RevokePath: pathOf("tokens", t.ID, "revoke"), Unused: s.now().Sub(used) > unusedAfter})
	}
	v.fill(&view.page, "tokens", "App passwords")
	return s.write(v, status, "tokens", view)
}

// Words are the scopes of a row as people read them.
func (t tokenRow) Words() (list []string) {
	for _, sc := range t.Scopes {
		list = append(list, scopeWords[sc][0])
	}
	return list
}

func (s *Server) postNewToken(v *visit) error {
	view := newTokensView(v)
	view.Label.Value = v.text("label")
	ttl := map[string]time.Duration{"90": 90 * 24 * time.Hour, "365": 365 * 24 * time.Hour, "0": 0}
	life, ok := ttl[v.form("expires")]
	if !ok {
		life = ttl["365"]
	} else {
		view.Expires = view.Expires.choose(v.form("expires"))
	}
	var scopes []tokens.Scope
	for _, sc := range v.Request().PostForm["scope"] {
		scopes = append(scopes, tokens.Scope(sc))
	}
	view.tick(scopes...)
	if view.Label.Value == "" {
		view.trouble(&view.Label, "Give it a name, so that you know later which one to revoke.")
	}
	if len(scopes) == 0 {
		view.Problems = append(view.Problems, problem{Field: "scopes", Text: "Choose what it is for: tick at least one of FTP, Web, XMPP, API."})
	}
	if len(view.Problems) > 0 {
		return s.showTokens(v, http.StatusUnprocessableEntity, view)
	}
	t, secret, err := s.opt.Tokens.Issue(v.ctx(), v.actor(), tokens.Request{User: v.creds.User, Scopes: scopes, TTL: life, Label: view.Label.Value})
	if errors.Is(err, identity.ErrInvalid) || errors.Is(err, identity.ErrRefused) {
		a := answerTo(err)
		view.Problems = append(view.Problems, problem{Field: "scopes", Text: a.words(err)})
		return s.showTokens(v, a.status, view)
	}
	if err != nil {
		return err
	}
	v.flash(flash{Kind: flashSuccess, Text: "The app password was created.", Secret: secret, Label: t.Label})
	return v.see("/tokens")
}

// postRevokeToken revokes one of the visitor's own; its sessions end at once.
func (s *Server) postRevokeToken(v *visit) error {
	t, err := s.opt.Tokens.Get(v.ctx(), v.param("id"))
	if errors.Is(err, identity.ErrNotFound) || err == nil && t.User != v.creds.UserID {
		return v.refused("/tokens", "Nothing was revoked.", errGone)
	}
	if err == nil {
		err = s.opt.Tokens.Revoke(v.ctx(), v.actor(), t.ID)
	}
	if err != nil {
		return v.refused("/tokens", "The app password was not revoked.", err)
	}
	return v.done("/tokens", "The app password %q was revoked, and its sessions ended.", t.Label)
}
