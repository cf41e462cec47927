package web

import (
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"trivium/files"
)

const maxQuery = 255 // bytes

type searchView struct {
	page
	Query         string
	Kind          field
	After, Before field  // days
	Least, Most   field  // in MB
	Open          bool   // something is set beside the name
	Asked         bool   // there was a search
	Here          string // address of the folder that is searched
	Crumbs        []crumb
	Rows          []fileRow
	Count         int
	Cut           string // why not everything was searched; "" when it was
	Prev          string
	Next          string
	Page          int
	Pages         int
}

func newSearchView(here string) *searchView {
	kinds := []option{{Label: "search.all_kinds"}}
	for _, k := range files.FileKinds() {
		kinds = append(kinds, option{Value: string(k), Label: "search.kind_" + string(k)})
	}
	size := func(name, label string) field {
		return field{ID: name, Name: name, Label: label, Type: "text", Mode: "decimal", Autocomplete: "off"}
	}
	return &searchView{Here: here, Kind: field{ID: "kind", Name: "kind", Label: "properties.kind", Options: kinds},
		After:  field{ID: "after", Name: "after", Label: "search.changed_since", Type: "date"},
		Before: field{ID: "before", Name: "before", Label: "search.changed_before", Type: "date"},
		Least:  size("least", "search.at_least"), Most: size("most", "search.at_most")}
}

// asks reports whether the address is that of a search, or of its form.
func asks(q url.Values) bool { return q.Has("q") || q.Has("search") }

// showSearch lists what below a folder fits: the words in the name, whatever their case, and what is chosen beside.
func (s *Server) showSearch(v *visit, tree *files.Tree, dir string, form url.Values) error {
	view := newSearchView(filesHref(dir))
	view.Crumbs, _ = v.crumbs(dir)
	v.fill(&view.page, "files", v.T("search.search_in", view.Crumbs[len(view.Crumbs)-1].Label))
	want := view.read(form)
	if len(view.Problems) > 0 {
		view.Open = true
		return s.write(v, http.StatusUnprocessableEntity, "search", view)
	}
	if !want.Asks() {
		if form.Has("q") && !form.Has("search") && !view.filtered(form) {
			return v.see(view.Here)
		}
		view.Open = true
		return s.write(v, http.StatusOK, "search", view)
	}
	v.long()
	found, err := tree.Search(v.ctx(), dir, want)
	switch {
	case err != nil:
		return err
	case found.Many:
		view.Cut = "search.there_are_more_search_in_a"
	case !found.All:
		view.Cut = "search.not_everything_was_searched_it_was"
	}
	view.Asked, view.Count = true, len(found.List)
	first, last, pages, at := pager(v.QueryParam("page"), len(found.List))
	view.Page, view.Pages, view.Prev, view.Next = at, pages, v.pageLink(at-1, pages), v.pageLink(at+1, pages)
	for _, i := range found.List[first:last] {
		r := s.fileRow(&view.page, tree, path.Dir(i.Path), i)
		r.Name = strings.TrimPrefix(strings.TrimPrefix(i.Path, dir), "/")
		view.Rows = append(view.Rows, r)
	}
	return s.write(v, http.StatusOK, "search", view)
}

// filtered reports whether the form has fields beside the name, though nothing may stand in them.
func (w *searchView) filtered(form url.Values) bool {
	for _, name := range []string{"kind", "after", "before", "least", "most"} {
		if form.Has(name) {
			return true
		}
	}
	return false
}

// read takes the form, and notes what is wrong with it.
func (w *searchView) read(form url.Values) (q files.Query) {
	w.Query = clip(strings.TrimSpace(form.Get("q")), maxQuery)
	q.Name = w.Query
	if kind := form.Get("kind"); kind != "" {
		w.Kind = w.Kind.choose(kind)
		known := false
		for _, k := range files.FileKinds() {
			known = known || string(k) == kind
		}
		if !known {
			w.trouble(&w.Kind, "search.choose_one_of_the_kinds")
		}
		q.Kind = files.Kind(kind)
	}
	q.After, q.Before = w.day(&w.After, form), w.day(&w.Before, form)
	q.Least, q.Most = w.megabytes(&w.Least, form), w.megabytes(&w.Most, form)
	if q.Most > 0 && q.Least > q.Most {
		w.trouble(&w.Most, "search.the_bounds_leave_nothing")
	}
	if !q.Before.IsZero() && !q.After.Before(q.Before) {
		w.trouble(&w.Before, "search.the_days_leave_nothing")
	}
	w.Open = q.Kind != "" || !q.After.IsZero() || !q.Before.IsZero() || q.Least > 0 || q.Most > 0
	return q
}

// day is the beginning of a day where the visitor is; zero: none was given.
func (w *searchView) day(f *field, form url.Values) time.Time {
	if f.Value = clip(strings.TrimSpace(form.Get(f.Name)), maxQuery); f.Value == "" {
		return time.Time{}
	}
	zone := w.zone
	if zone == nil {
		zone = time.UTC
	}
	at, err := time.ParseInLocation(time.DateOnly, f.Value, zone)
	if err != nil {
		w.trouble(f, "search.this_is_no_day")
	}
	return at
}

// megabytes is a size in bytes; 0: none was given.
func (w *searchView) megabytes(f *field, form url.Values) int64 {
	if f.Value = clip(strings.TrimSpace(form.Get(f.Name)), maxQuery); f.Value == "" {
		return 0
	}
	n, err := strconv.ParseFloat(strings.Replace(f.Value, ",", ".", 1), 64)
	if err != nil || !(n >= 0 && n <= math.MaxInt64/1e6/2) {
		w.trouble(f, "search.this_is_no_size")
		return 0
	}
	return int64(math.Ceil(n * 1e6))
}
