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
	{"ftp", "tokens.ftp_client", []tokens.Scope{tokens.ScopeFTP}},
	{"chat", "tokens.phone_chat_app", []tokens.Scope{tokens.ScopeXMPP}},
	{"dav", "tokens.webdav_drive", []tokens.Scope{tokens.ScopeWeb}},
	{"script", "tokens.script", []tokens.Scope{tokens.ScopeAPI}},
	{"scanner", "tokens.scanner_or_camera", []tokens.Scope{tokens.ScopeFTP, tokens.ScopeFilesWrite}},
}

var scopeWords = map[tokens.Scope][2]string{
	tokens.ScopeFTP:        {"FTP", "tokens.log_in_over_ftp_and_ftps"},
	tokens.ScopeWeb:        {"Web", "tokens.http_with_basic_or_bearer_credentials"},
	tokens.ScopeXMPP:       {"XMPP", "chat"},
	tokens.ScopeAPI:        {"API", "tokens.scripts_and_programs"},
	tokens.ScopeFilesRead:  {"tokens.files_read", "tokens.with_only_this_of_the_two"},
	tokens.ScopeFilesWrite: {"tokens.files_write", "tokens.files_can_be_read_and_changed"},
	tokens.ScopeIntrospect: {"tokens.introspection", "tokens.asks_who_sessions_and_tokens_are"},
	tokens.ScopeAdmin:      {"tokens.administration", "tokens.without_it_the_level_is_at"},
}

const unusedAfter = 90 * 24 * time.Hour

func newTokensView(v *visit) *tokensView {
	view := &tokensView{
		Label: field{ID: "label", Name: "label", Label: "common.name", Type: "text", Required: true, Help: "tokens.which_app_or_device_it_is"},
		Expires: field{ID: "expires", Name: "expires", Label: "tokens.expires", Options: []option{
			{Value: "90", Label: "tokens.in_90_days"}, {Value: "365", Label: "tokens.in_1_year"}, {Value: "0", Label: "common.never"}}}.choose("365"),
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
	v.fill(&view.page, "tokens", "common.app_passwords")
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
		view.trouble(&view.Label, "tokens.give_it_a_name_so_that")
	}
	if len(scopes) == 0 {
		view.Problems = append(view.Problems, problem{Field: "scopes", Text: "tokens.choose_what_it_is_for_tick"})
	}
	if len(view.Problems) > 0 {
		return s.showTokens(v, http.StatusUnprocessableEntity, view)
	}
	t, secret, err := s.opt.Tokens.Issue(v.ctx(), v.actor(), tokens.Request{User: v.creds.User, Scopes: scopes, TTL: life, Label: view.Label.Value})
	if errors.Is(err, identity.ErrInvalid) || errors.Is(err, identity.ErrRefused) {
		a := answerTo(err)
		view.Problems = append(view.Problems, problem{Field: "scopes", Text: a.words(v.words, err)})
		return s.showTokens(v, a.status, view)
	}
	if err != nil {
		return err
	}
	v.flash(flash{Kind: flashSuccess, Text: "tokens.the_app_password_was_created", Secret: secret, Label: t.Label})
	return v.see("/tokens")
}

// postRevokeToken revokes one of the visitor's own; its sessions end at once.
func (s *Server) postRevokeToken(v *visit) error {
	t, err := s.opt.Tokens.Get(v.ctx(), v.param("id"))
	if errors.Is(err, identity.ErrNotFound) || err == nil && t.User != v.creds.UserID {
		return v.refused("/tokens", "tokens.nothing_was_revoked", errGone)
	}
	if err == nil {
		err = s.opt.Tokens.Revoke(v.ctx(), v.actor(), t.ID)
	}
	if err != nil {
		return v.refused("/tokens", "tokens.the_app_password_was_not_revoked", err)
	}
	return v.done("/tokens", "tokens.the_app_password_was_revoked_and", t.Label)
}
