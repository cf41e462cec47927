package web

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"

	"trivium/files"
)

type trashView struct {
	page
	Rows  []trashRow
	Count int
	Size  int64
	On    bool // what is deleted here goes there
	Days  int
	Prev  string
	Next  string
	Page  int
	Pages int
}

type trashRow struct {
	files.Trashed
	Where        string // the folder it was in
	To, Purge    string // the pages that ask where it shall be restored, and before it goes for ever
	Removed, End stamp
}

func (s *Server) getTrash(v *visit) error {
	list, err := s.opt.Files.View(v.browser.Session).Trash(v.ctx())
	if err != nil {
		return err
	}
	q := v.Request().URL.Query()
	if q.Has("empty") {
		return s.showTrashForm(v, &trashFormView{Verb: "empty", Count: len(list)})
	}
	for _, verb := range []string{"purge", "restore"} {
		if !q.Has(verb) {
			continue
		}
		for _, t := range list {
			if t.ID == q.Get(verb) {
				return s.showTrashForm(v, &trashFormView{Verb: verb, Item: t})
			}
		}
		return errAbsent
	}
	view := &trashView{Count: len(list), On: s.opt.Files.View(v.browser.Session).Throws(), Days: s.trashDays()}
	first, last, pages, at := pager(q.Get("page"), len(list))
	view.Page, view.Pages, view.Prev, view.Next = at, pages, v.pageLink(at-1, pages), v.pageLink(at+1, pages)
	v.fill(&view.page, "trash", "trash.trash")
	for _, t := range list {
		view.Size += t.Size
	}
	for _, t := range list[first:last] {
		view.Rows = append(view.Rows, trashRow{Trashed: t, Where: path.Dir(t.Path),
			To: "/trash?restore=" + url.QueryEscape(t.ID), Purge: "/trash?purge=" + url.QueryEscape(t.ID),
			Removed: view.Stamp(t.At), End: view.Stamp(t.Until)})
	}
	return s.write(v, http.StatusOK, "trash", view)
}

// trashDays is how long what was deleted stays, in whole days.
func (s *Server) trashDays() int { return int(s.opt.Files.TrashLife().Hours() / 24) }

type trashFormView struct {
	page
	Verb  string // empty, purge or restore
	Item  files.Trashed
	Count int
	To    field
}

// showTrashForm is the page that asks before something goes for ever, or where it shall be restored.
func (s *Server) showTrashForm(v *visit, view *trashFormView) error {
	title := map[string]string{"empty": "trash.title_empty", "purge": "trash.title_purge", "restore": "trash.title_restore"}[view.Verb]
	view.To = field{ID: "to", Name: "to", Label: "trash.restore_to_2", Type: "text", Autocomplete: "off", Value: view.Item.Path, Required: true, Focus: true,
		Help: "trash.the_full_path_with_the_new"}
	v.fill(&view.page, "trash", title)
	return s.write(v, http.StatusOK, "trash_form", view)
}

// postTrash restores what `id` names, removes it for ever, or empties the trash, as `do` says.
func (s *Server) postTrash(v *visit) error {
	const here = "/trash"
	tree := s.opt.Files.View(v.browser.Session)
	if v.form("do") == "empty" {
		if err := tree.EmptyTrash(v.ctx()); err != nil {
			return v.refused(here, "trash.the_trash_was_not_emptied", err)
		}
		return v.done(here, "trash.the_trash_is_empty")
	}
	item, err := s.trashed(v, tree, v.form("id"))
	if err != nil {
		return err
	}
	switch v.form("do") {
	case "restore":
		to := v.form("to")
		if to == "" {
			to = item.Path
		}
		err := tree.RestoreTrash(v.ctx(), item.ID, to)
		if errors.Is(err, fs.ErrExist) {
			return v.refused(here+"?restore="+url.QueryEscape(item.ID), v.T("trash.was_not_restored", quoted(item.Name)), err)
		}
		if err != nil {
			return v.refused(here, v.T("trash.was_not_restored", quoted(item.Name)), err)
		}
		return v.done(here, "trash.was_restored_to", quoted(item.Name), quoted(path.Dir(to)))
	case "purge":
		if err := tree.EmptyTrash(v.ctx(), item.ID); err != nil {
			return v.refused(here, v.T("trash.was_not_deleted", quoted(item.Name)), err)
		}
		return v.done(here, "trash.was_deleted_for_ever", quoted(item.Name))
	}
	return errMalformed
}

// trashed finds what the form names among what the visitor sees in the trash.
func (s *Server) trashed(v *visit, tree *files.Tree, id string) (files.Trashed, error) {
	list, err := tree.Trash(v.ctx())
	if err != nil {
		return files.Trashed{}, err
	}
	for _, t := range list {
		if t.ID == id {
			return t, nil
		}
	}
	return files.Trashed{}, errAbsent
}
