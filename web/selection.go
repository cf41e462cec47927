package web

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"trivium/files"
)

// maxSelection is how many entries of a folder one form may name.
const maxSelection = 1000

// selection is what a form of the folder page names: entries of one folder, and what to do with them.
type selection struct {
	verb  string // zip, move, copy or remove
	dir   string
	names []string
}

// selectionVerbs say what is done, as a heading and as a result.
var selectionVerbs = map[string]struct{ title, done, undone string }{
	"move":   {"files.move", "selection.moved", "selection.not_moved"},
	"copy":   {"files.copy", "selection.copied", "selection.not_copied"},
	"remove": {"common.delete", "selection.deleted", "selection.not_deleted"},
}

// selectionView is the page that asks where the entries shall go, or whether they shall.
type selectionView struct {
	page
	Verb    string
	Names   []string
	Here    string // address of the folder that they are in
	At      string // the folder that is looked at as the target
	Crumbs  []crumb
	Folders []files.Info
	Cut     bool // there are more folders than are shown
	Same    bool // At is where they are
	Into    bool // what stands in At may be added to
	Trash   int  // days for which they can be restored; 0: they go for ever
}

// Count names how many there are.
func (w *selectionView) Count() string { return w.T("common.entries", len(w.Names)) }

// Do is the verb as a heading.
func (w *selectionView) Do() string { return w.T(selectionVerbs[w.Verb].title) }

// postSelection does what the form says with the entries that it names, or asks what it leaves open.
func (s *Server) postSelection(v *visit, tree *files.Tree, dir string) error {
	sel := selection{verb: v.form("do"), dir: dir, names: slices.Compact(v.Request().PostForm["name"])}
	here := filesHref(dir)
	switch {
	case len(sel.names) == 0:
		v.flash(flash{Kind: flashError, Text: "selection.nothing_was_selected_tick_one_or"})
		return v.see(here)
	case len(sel.names) > maxSelection:
		return errTooLarge
	case sel.verb == "zip":
		return s.sendZip(v, tree, sel)
	case sel.verb == "remove" && v.form("sure") == "", sel.verb != "remove" && v.form("to") == "":
		return s.showSelection(v, tree, sel)
	}
	return s.carryOut(v, tree, sel)
}

// maxPicks is how many folders the page shows as targets.
const maxPicks = 500

func (s *Server) showSelection(v *visit, tree *files.Tree, sel selection) error {
	view := &selectionView{page: page{words: v.words}, Verb: sel.verb, Names: sel.names, Here: filesHref(sel.dir), At: sel.dir}
	if tree.Throws() {
		view.Trash = max(s.trashDays(), 1)
	}
	if sel.verb != "remove" {
		if err := s.pick(v, tree, view, v.form("at")); err != nil {
			return err
		}
	}
	v.fill(&view.page, "files", view.Do()+" "+view.Count())
	return s.write(v, http.StatusOK, "selection", view)
}

// pick fills in the folders through which one goes to the target; at is where one is, "" at first.
func (s *Server) pick(v *visit, tree *files.Tree, view *selectionView, at string) error {
	if at != "" {
		p, err := files.Clean("/", at)
		if err != nil {
			return errAbsent
		}
		view.At = p
	}
	info, err := tree.Stat(v.ctx(), view.At)
	if err != nil {
		return err
	}
	a := tree.Access(info)
	view.Into = info.Dir && (a.Create || a.Mkdir)
	view.Same = filesHref(view.At) == view.Here
	view.Crumbs, _ = v.crumbs(view.At)
	err = tree.ReadDir(v.ctx(), view.At, func(i files.Info) error {
		if i.Dir && (filesHref(view.At) != view.Here || !slices.Contains(view.Names, i.Name)) { // nothing goes into itself
			view.Folders = append(view.Folders, i)
		}
		return nil
	})
	sortFiles(view.Folders, "name")
	if len(view.Folders) > maxPicks {
		view.Folders, view.Cut = view.Folders[:maxPicks], true
	}
	return err
}

// carryOut moves, copies or deletes one entry after the other; the failure of one stops no other.
func (s *Server) carryOut(v *visit, tree *files.Tree, sel selection) error {
	here, to := filesHref(sel.dir), ""
	if sel.verb != "remove" {
		p, err := files.Clean("/", v.form("to"))
		if err != nil {
			return errAbsent
		}
		to = p
	}
	v.long()
	done := v.doing(strings.ToUpper(sel.verb) + " " + sel.dir)
	defer done()
	var failed []string
	for _, name := range sel.names {
		if err := v.ctx().Err(); err != nil {
			return err
		}
		if err := s.carryOne(v, tree, sel, to, name); err != nil {
			if a := answerTo(err); a.fallback {
				s.log.Error("a file was "+selectionVerbs[sel.verb].undone, "request", requestID(v.Request()), "err", err)
			}
			failed = append(failed, quoted(name)+": "+answerTo(err).words(v.words, err))
		}
	}
	words := selectionVerbs[sel.verb]
	if n := len(sel.names) - len(failed); len(failed) > 0 {
		v.flash(flash{Kind: flashError, Text: v.T("selection.partly", v.T("selection.done", n, v.T(words.done)), v.T("selection.undone", len(failed), v.T(words.undone))) + " " +
			strings.Join(v.clipList(failed, 20), " ") + " " + v.T("errors.request", requestID(v.Request()))})
		return v.see(here)
	}
	if to != "" {
		return v.done(filesHref(to), "selection.entries_were_here", len(sel.names), v.T(words.done))
	}
	if tree.Throws() {
		return v.done(here, "selection.entries_were_deleted_what_was_deleted", len(sel.names))
	}
	return v.done(here, "selection.entries_were_deleted", len(sel.names))
}

func (s *Server) carryOne(v *visit, tree *files.Tree, sel selection, to, name string) error {
	from, err := member(sel.dir, name)
	if err != nil {
		return err
	}
	if sel.verb == "remove" {
		return remove(v, tree, from)
	}
	target := path.Join(to, name)
	if _, err := tree.Lstat(v.ctx(), target); err == nil {
		return errTaken
	}
	if sel.verb == "copy" {
		return tree.Copy(v.ctx(), from, target, files.CopyOptions{Deep: true})
	}
	return tree.Rename(v.ctx(), from, target)
}

// remove deletes an entry: into the trash, where there is one; else a folder only where it is empty.
func remove(v *visit, tree *files.Tree, target string) error {
	info, err := tree.Lstat(v.ctx(), target)
	switch {
	case err != nil:
		return err
	case info.Dir && tree.Throws():
		return tree.RemoveAll(v.ctx(), target)
	case info.Dir:
		return tree.RemoveDir(v.ctx(), target)
	}
	return tree.Remove(v.ctx(), target)
}
