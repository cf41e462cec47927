package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"trivium/files"
)

type filesView struct {
	page
	Path     string
	Crumbs   []crumb
	Up       string // address of the folder above; "" at the top
	Here     string // this folder's address: where the forms go
	Rows     []fileRow
	Sorts    []sortHead
	Count    int
	Quota    *quota
	Query    string // of a search; here there is none
	Access   files.Access
	NewName  field
	Prev     string
	Next     string
	Page     int
	Pages    int
	ReadOnly bool
	Grid     bool   // tiles
	Sort     string // as in the query
}

type crumb struct {
	Label, Href, Path string
	Here              bool
}

type fileRow struct {
	files.Info
	Kind           string // dir, file, link, part
	Href           string
	Rename, Delete string // addresses of the forms; "" where one may not
	View           string // address of the page that shows it; "" for a folder
	Share          string // address of the form; "" where one cannot
	Versions       string // address of the page; "" where there are none
	Properties     string // address of the page
	Thumb          string // address of the picture that stands for it; "" where there is none
	Changed        stamp
	ModeText       string
}

// sortHead is a column's head: a link that sorts by it.
type sortHead struct{ Label, Href, Aria, Class string }

// filesHref is the address of a path in the tree.
func filesHref(p string) string {
	u := url.URL{Path: "/files" + p}
	return u.EscapedPath()
}

// place is the path in the tree that the request names, decoded once and cleaned.
func (v *visit) place() (string, error) {
	return files.Clean("/", "/"+strings.TrimPrefix(v.Request().URL.Path, "/files/"))
}

func (s *Server) toFiles(v *visit) error { return v.see("/files/") }

func (s *Server) getFiles(v *visit) error {
	p, err := v.place()
	if err != nil {
		return errAbsent // a name that cannot be
	}
	tree := s.opt.Files.View(v.browser.Session)
	q := v.Request().URL.Query()
	if q.Has("upload") {
		r, err := v.resumable()
		if err != nil {
			return err
		}
		return s.headUpload(v, r, tree)
	}
	info, err := tree.Stat(v.ctx(), p)
	if err != nil {
		return err
	}
	if !info.Dir {
		if q.Has("view") {
			return s.showPreview(v, tree, info)
		}
		return s.download(v, tree, p)
	}
	if asks(q) {
		return s.showSearch(v, tree, p, q)
	}
	if q.Has("versions") {
		return s.showVersions(v, tree, p, q.Get("versions"), q.Get("id"))
	}
	if q.Has("properties") {
		return s.showProperties(v, tree, p, q.Get("properties"))
	}
	if q.Has("share") {
		return s.showShareForm(v, tree, p, q.Get("share"))
	}
	for _, verb := range []string{"rename", "delete"} {
		if q.Has(verb) {
			return s.showFileForm(v, tree, p, verb, q.Get(verb))
		}
	}
	return s.showFiles(v, http.StatusOK, tree, info)
}

func (s *Server) showFiles(v *visit, status int, tree *files.Tree, dir files.Info) error {
	p := dir.Path
	if p == "" {
		p = "/"
	}
	view := &filesView{Path: p, Here: filesHref(p), Access: tree.Access(dir),
		NewName: field{ID: "folder", Name: "name", Label: "files.folder_name", Type: "text", Autocomplete: "off", Required: true}}
	var list []files.Info
	err := tree.ReadDir(v.ctx(), p, func(i files.Info) error {
		list = append(list, i)
		return nil
	})
	if err != nil {
		return err
	}
	by := v.QueryParam("sort")
	sortFiles(list, by)
	view.Count = len(list)
	first, last, pages, at := pager(v.QueryParam("page"), len(list))
	view.Page, view.Pages, view.Prev, view.Next = at, pages, v.pageLink(at-1, pages), v.pageLink(at+1, pages)
	view.Crumbs, view.Up = v.crumbs(p)
	view.Sorts = sortHeads(view.Here, by)
	view.Grid, view.Sort = v.keeps(viewCookie, "grid"), by
	name := "files.files"
	if p != "/" {
		name = path.Base(p)
	}
	v.fill(&view.page, "files", name)
	view.Quota = s.quota(v, &view.page, p)
	for _, i := range list[first:last] {
		r := s.fileRow(&view.page, tree, p, i)
		if view.Grid && r.View != "" && thumbnail(i) && tree.Access(i).Read {
			r.Thumb = r.Href
		}
		view.Rows = append(view.Rows, r)
	}
	view.ReadOnly = !view.Access.Create && !view.Access.Mkdir
	return s.write(v, status, "files", view)
}

func (s *Server) fileRow(p *page, tree *files.Tree, dir string, i files.Info) fileRow {
	full := path.Join(dir, i.Name)
	r := fileRow{Info: i, Kind: "file", Href: filesHref(full), Changed: p.Stamp(i.ModTime), ModeText: i.Mode.Perm().String()[1:]}
	switch {
	case i.Dir:
		r.Kind, r.Href = "dir", filesHref(full)+"/"
	case i.Link:
		r.Kind = "link"
	case i.Part:
		r.Kind = "part"
	}
	a := tree.Access(i)
	at := filesHref(dir)
	r.Properties = propertiesHref(at, i.Name)
	if r.Kind == "file" {
		r.View = r.Href + "?view"
	}
	if a.Rename {
		r.Rename = at + "?rename=" + url.QueryEscape(i.Name)
	}
	if r.Kind == "file" && a.Read && tree.KeepsVersions() {
		r.Versions = at + "?versions=" + url.QueryEscape(i.Name)
	}
	if tree.MayShare(i) {
		r.Share = at + "?share=" + url.QueryEscape(i.Name)
	}
	if a.Delete {
		r.Delete = at + "?delete=" + url.QueryEscape(i.Name)
	}
	return r
}

// sortFiles keeps folders before files; by is name, size or changed, with - before it reversed. Names are folded once
// each, and places are sorted instead of entries, which are large.
func sortFiles(list []files.Info, by string) {
	key, down := strings.CutPrefix(by, "-")
	type place struct {
		at   int
		name string
	}
	order := make([]place, len(list))
	for i := range list {
		order[i] = place{at: i, name: strings.ToLower(list[i].Name)}
	}
	slices.SortFunc(order, func(a, b place) int {
		x, y := &list[a.at], &list[b.at]
		if x.Dir != y.Dir {
			if x.Dir {
				return -1
			}
			return 1
		}
		var c int
		switch key {
		case "size":
			c = cmp.Compare(x.Size, y.Size)
		case "changed":
			c = x.ModTime.Compare(y.ModTime)
		default:
			c = strings.Compare(a.name, b.name)
		}
		if down {
			c = -c
		}
		return cmp.Or(c, a.at-b.at) // what is equal stays as it came
	})
	sorted := make([]files.Info, len(list))
	for i, p := range order {
		sorted[i] = list[p.at]
	}
	copy(list, sorted)
}

func sortHeads(here, by string) (heads []sortHead) {
	for _, h := range [][2]string{{"name", "common.name"}, {"size", "common.size"}, {"changed", "common.changed"}} {
		s := sortHead{Label: h[1], Href: here + "?sort=" + h[0], Class: h[0]}
		switch by {
		case h[0]:
			s.Aria, s.Href = "ascending", here+"?sort=-"+h[0]
		case "-" + h[0]:
			s.Aria = "descending"
		case "":
			if h[0] == "name" {
				s.Aria, s.Href = "ascending", here+"?sort=-name"
			}
		}
		heads = append(heads, s)
	}
	return heads
}

// crumbs are the folders from the top to p.
func (v *visit) crumbs(p string) (list []crumb, up string) {
	list = []crumb{{Label: v.T("files.files"), Href: filesHref("/"), Path: "/"}}
	at := ""
	for _, seg := range strings.Split(strings.Trim(p, "/"), "/") {
		if seg == "" {
			continue
		}
		at += "/" + seg
		list = append(list, crumb{Label: seg, Href: filesHref(at) + "/", Path: at})
	}
	if len(list) > 1 {
		up = list[len(list)-2].Href
	}
	list[len(list)-1].Here = true
	return list, up
}

type fileFormView struct {
	page
	Verb, Name, Here string
	Dir              bool
	Trash            int // days for which it can be restored; 0: it goes for ever
	NewName          field
}

// showFileForm is the page that asks before a deletion, or for a new name.
func (s *Server) showFileForm(v *visit, tree *files.Tree, dir, verb, name string) error {
	target, err := member(dir, name)
	if err != nil {
		return errAbsent
	}
	info, err := tree.Lstat(v.ctx(), target)
	if err != nil {
		return err
	}
	view := &fileFormView{Verb: verb, Name: name, Here: filesHref(dir), Dir: info.Dir,
		NewName: field{ID: "to", Name: "to", Label: "files.new_name", Type: "text", Autocomplete: "off", Value: name, Required: true, Focus: true}}
	if tree.Throws() {
		view.Trash = max(s.trashDays(), 1)
	}
	title := v.T(map[string]string{"rename": "files.rename_it", "delete": "files.delete_it"}[verb], name)
	v.fill(&view.page, "files", title)
	return s.write(v, http.StatusOK, "file_form", view)
}

// member is the path of an entry of dir: name is one segment, never a way elsewhere.
func member(dir, name string) (string, error) {
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return "", files.ErrName
	}
	return files.Clean(dir, name)
}

// postFiles changes the folder that the address names: `do` is mkdir, rename, delete, what is done with
// a selection or, for a version, restore; a multipart body is an upload.
func (s *Server) postFiles(v *visit) error {
	dir, err := v.place()
	if err != nil {
		return errAbsent
	}
	tree := s.opt.Files.View(v.browser.Session)
	here := filesHref(dir)
	if v.byScript() {
		return s.createUpload(v, tree, dir)
	}
	if strings.HasPrefix(v.Request().Header.Get("Content-Type"), "multipart/") {
		return s.upload(v, tree, here, intake{dir: dir})
	}
	switch v.form("do") {
	case "zip", "move", "copy", "remove":
		return s.postSelection(v, tree, dir)
	case "standing":
		return s.listStanding(v, tree, dir)
	}
	name := v.form("name")
	target, err := member(dir, name)
	if err != nil {
		return v.refused(here, v.T("files.was_not_changed", quoted(name)), err)
	}
	switch v.form("do") {
	case "mkdir":
		if err := tree.Mkdir(v.ctx(), target); err != nil {
			return v.refused(here, v.T("files.the_folder_was_not_made", quoted(name)), err)
		}
		return v.done(here, "files.the_folder_was_made", quoted(name))
	case "rename":
		to, err := member(dir, v.form("to"))
		if err == nil && to != target {
			if _, serr := tree.Lstat(v.ctx(), to); serr == nil {
				err = errTaken
			} else {
				err = tree.Rename(v.ctx(), target, to)
			}
		}
		if err != nil {
			return v.refused(here, v.T("files.was_not_renamed", quoted(name)), err)
		}
		return v.done(here, "files.is_now_called", quoted(name), quoted(path.Base(to)))
	case "delete":
		info, err := tree.Lstat(v.ctx(), target)
		thrown := err == nil && !info.Link && !info.Part && tree.Throws()
		if err == nil {
			err = remove(v, tree, target)
		}
		if err != nil {
			return v.refused(here, v.T("files.was_not_deleted", quoted(name)), err)
		}
		if thrown {
			return v.done(here, "files.was_deleted_it_can_be_restored", quoted(name))
		}
		return v.done(here, "files.was_deleted", quoted(name))
	case "restore":
		return s.restoreVersion(v, tree, here, target)
	}
	return errMalformed
}

// errTaken is a new name under which something stands; rename itself would replace it.
var errTaken = errors.New("something of this name is there already")

func quoted(name string) string { return "“" + clip(name, 80) + "”" }
