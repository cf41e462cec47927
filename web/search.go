package web

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
)

// Bounds of one search.
const (
	maxFound    = 500
	maxSearched = 200_000 // entries that are looked at
	maxSearch   = 10 * time.Second
	maxQuery    = 255 // bytes
)

type searchView struct {
	page
	Query  string
	Here   string // address of the folder that is searched
	Crumbs []crumb
	Rows   []fileRow
	Cut    string // why not everything was searched; "" when it was
}

// showSearch lists what below a folder has the words in its name, whatever their case.
func (s *Server) showSearch(v *visit, tree *files.Tree, dir, query string) error {
	view := &searchView{Query: clip(strings.TrimSpace(query), maxQuery), Here: filesHref(dir)}
	view.Crumbs, _ = v.crumbs(dir)
	v.fill(&view.page, "files", v.T("search.search_in", view.Crumbs[len(view.Crumbs)-1].Label))
	if view.Query == "" {
		return v.see(view.Here)
	}
	v.long()
	ctx, cancel := context.WithTimeout(v.ctx(), maxSearch)
	defer cancel()
	f := finder{tree: tree, want: files.Folded(view.Query)}
	err := f.below(ctx, dir)
	switch {
	case v.ctx().Err() != nil:
		return v.ctx().Err()
	case errors.Is(err, errEnough) && len(f.found) >= maxFound:
		view.Cut = "search.there_are_more_search_in_a"
	case errors.Is(err, errEnough), errors.Is(err, context.DeadlineExceeded):
		view.Cut = "search.not_everything_was_searched_it_was"
	case err != nil:
		return err
	}
	for _, i := range f.found {
		r := s.fileRow(&view.page, tree, path.Dir(i.Path), i)
		r.Name = strings.TrimPrefix(strings.TrimPrefix(i.Path, dir), "/")
		view.Rows = append(view.Rows, r)
	}
	return s.write(v, http.StatusOK, "search", view)
}

var errEnough = errors.New("enough was found or looked at")

// finder is one search, folder by folder, the ones above first.
type finder struct {
	tree   *files.Tree
	want   string
	looked int
	found  []files.Info
}

func (f *finder) below(ctx context.Context, dir string) error {
	for queue := []string{dir}; len(queue) > 0; queue = queue[1:] {
		err := f.tree.ReadDir(ctx, queue[0], func(i files.Info) error {
			f.looked++
			if strings.Contains(files.Folded(i.Name), f.want) {
				f.found = append(f.found, i)
			}
			if i.Dir {
				queue = append(queue, i.Path)
			}
			if len(f.found) >= maxFound || f.looked >= maxSearched {
				return errEnough
			}
			return ctx.Err()
		})
		switch {
		case err == nil:
		case errors.Is(err, errEnough), errors.Is(err, identity.ErrEnded), ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case queue[0] == dir:
			return err
		} // a folder further down that may not be read is no answer
	}
	return nil
}
