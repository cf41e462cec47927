package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"trivium/config"
	"trivium/identity"
	"trivium/web/text"
)

// LiveConfig is the configuration of the running server.
type LiveConfig interface {
	Entries() []config.Entry
	Pending(ctx context.Context) ([]config.Change, error)
	Reload(ctx context.Context, by identity.Actor) (applied, waiting []config.Change, err error)
	Set(ctx context.Context, by identity.Actor, key, value string) error
	Unset(ctx context.Context, by identity.Actor, key string) error
}

type configView struct {
	page
	Rows     []configRow
	Query    string
	Changed  bool
	Sections []option
	Filtered bool
	Total    int
	Pending  []config.Change
	Faults   []config.Fault // of the file on disk
	Fault    string         // what is wrong there, where no line is to blame
	MayEdit  bool
	Edit     *configEdit
}

type configRow struct {
	config.Entry
	About    string // Doc, in the visitor's language
	Shown    string
	EditPath string // "" where it is not edited here
	SetHere  bool
}

// configEdit is the form for one live key.
type configEdit struct {
	config.Entry
	Field field
}

// getConfig shows the effective values and where each came from; a secret is only "set".
func (s *Server) getConfig(v *visit) error {
	return s.showConfig(v, http.StatusOK, v.QueryParam("edit"), nil, nil)
}

// showConfig shows the page; refused is what was wrong with the value that the form had.
func (s *Server) showConfig(v *visit, status int, edit string, refused error, value *string) error {
	view := &configView{Query: v.QueryParam("q"), Changed: v.QueryParam("changed") == "1", MayEdit: v.level.Allows(identity.LevelRoot)}
	section := v.QueryParam("section")
	view.Filtered = view.Query != "" || view.Changed || section != ""
	v.fill(&view.page, "admin.config", "admin_config.configuration")
	if s.opt.Live != nil {
		view.list(s.opt.Live.Entries(), section, edit)
		var err error
		if view.Pending, err = s.opt.Live.Pending(v.ctx()); err != nil {
			var faults *config.Faults
			if errors.As(err, &faults) {
				view.Faults = faults.List
			} else {
				view.Fault = err.Error()
			}
		}
	}
	if view.Edit != nil && refused != nil {
		view.Edit.Field.Value = *value
		view.trouble(&view.Edit.Field, v.words.Echo("service", refused.Error()))
	}
	return s.write(v, status, "admin_config", view)
}

// list fills in the rows, and the form for the key that is edited.
func (view *configView) list(entries []config.Entry, section, edit string) {
	sections := []string{}
	for _, e := range entries {
		view.Total++
		in, _, deep := strings.Cut(e.Key, ".")
		if deep && !slices.Contains(sections, in) {
			sections = append(sections, in)
		}
		r := configRow{Entry: e, About: explain(view.words, e), Shown: e.Text(), SetHere: e.Layer == config.LayerSet}
		if e.Secret {
			r.Shown = view.T("admin_config.not_set")
			if e.Value != "" && e.Value != nil {
				r.Shown = view.T("admin_config.set")
			}
		}
		if e.Live && !e.Secret && view.MayEdit {
			r.EditPath = "/admin/config?edit=" + queryEscape(e.Key) + "#edit"
			if e.Key == edit {
				view.Edit = newConfigEdit(view.words, e)
			}
		}
		if view.Changed && !e.Changed() || section != "" && in != section || !containsFold(e.Key, view.Query) && !containsFold(e.Doc, view.Query) && !containsFold(r.About, view.Query) {
			continue
		}
		view.Rows = append(view.Rows, r)
	}
	view.Sections = []option{{Label: view.T("admin_config.all_sections")}}
	for _, in := range sections {
		view.Sections = append(view.Sections, option{Value: in, Label: in, Selected: in == section})
	}
}

// explain says what a key is, in English where the language has no words for it.
func explain(words *text.Language, e config.Entry) string {
	for _, key := range explanations(e) {
		if words.Has(key) {
			return words.T(key)
		}
	}
	return e.Doc
}

// explanations are the keys of the catalogues that may explain a key of the configuration: that of its own, and
// that of the table or of the rules that it is an entry of.
func explanations(e config.Entry) []string {
	section, name, deep := strings.Cut(e.Key, ".")
	switch {
	case !deep:
		return []string{"config." + section}
	case section == "policy":
		return []string{"config.in_policy"}
	}
	return []string{"config_" + section + "." + name, "config.in_" + strings.ReplaceAll(e.Type, ".", "_")}
}

func newConfigEdit(words *text.Language, e config.Entry) *configEdit {
	f := field{ID: "value", Name: "value", Label: e.Key, Type: "text", Help: words.T("admin_config.what_it_is", explain(words, e), words.Echo("setting", e.Type), config.Entry{Value: e.Default}.Text()), Autocomplete: "off", Focus: true}
	f.Value = strings.Trim(e.Text(), `"`)
	for _, x := range e.Values {
		f.Options = append(f.Options, option{Value: x, Label: x})
	}
	if len(f.Options) > 0 {
		f = f.choose(f.Value)
	}
	return &configEdit{Entry: e, Field: f}
}

// postConfig sets a live key.
func (s *Server) postConfig(v *visit) error {
	if s.opt.Live == nil {
		return v.see("/admin/config")
	}
	key, value := v.form("key"), v.text("value")
	err := s.opt.Live.Set(v.ctx(), v.actor(), key, value)
	if errors.Is(err, identity.ErrInvalid) {
		return s.showConfig(v, http.StatusUnprocessableEntity, key, err, &value)
	}
	if err != nil {
		return err
	}
	return v.done("/admin/config?q="+queryEscape(key), "admin_config.is_from_now_on", key, value)
}

// postConfigUnset goes back to what the file says.
func (s *Server) postConfigUnset(v *visit) error {
	if s.opt.Live == nil {
		return v.see("/admin/config")
	}
	key := v.form("key")
	if err := s.opt.Live.Unset(v.ctx(), v.actor(), key); err != nil {
		return v.refused("/admin/config", "admin_config.the_key_was_not_taken_back", err)
	}
	return v.done("/admin/config?q="+queryEscape(key), "admin_config.is_again", key)
}

// postConfigReload reads the file again; a broken one is shown with its lines, and the old stays.
func (s *Server) postConfigReload(v *visit) error {
	if s.opt.Live == nil {
		return v.see("/admin/config")
	}
	applied, waiting, err := s.opt.Live.Reload(v.ctx(), v.actor())
	if err != nil {
		v.flash(flash{Kind: flashError, Text: "admin_config.nothing_was_changed"})
		return v.see("/admin/config")
	}
	return v.done("/admin/config", "admin_config.read_again", len(applied), len(waiting))
}
