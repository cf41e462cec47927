package web

import (
	"net/http"
	"net/url"
	"path"

	"trivium/files"
)

type versionsView struct {
	page
	Name, Here string // the file, and the address of its folder
	File       string // address of the file itself
	Now        fileRow
	Rows       []versionRow
	Write      bool // one may be restored
}

type versionRow struct {
	files.Version
	Href              string
	Changed, Replaced stamp
}

// showVersions is the page of a file's old versions; with id, one of them as a download.
func (s *Server) showVersions(v *visit, tree *files.Tree, dir, name, id string) error {
	p, err := member(dir, name)
	if err != nil {
		return errAbsent
	}
	if id != "" {
		f, err := tree.OpenVersion(v.ctx(), p, id)
		if err != nil {
			return err
		}
		return s.sendFile(v, f, p)
	}
	info, err := tree.Stat(v.ctx(), p)
	if err != nil {
		return err
	}
	list, err := tree.Versions(v.ctx(), p)
	if err != nil {
		return err
	}
	here := filesHref(dir)
	view := &versionsView{Name: name, Here: here, File: filesHref(p), Write: tree.Access(info).Write}
	v.fill(&view.page, "files", v.T("versions.versions_of", name))
	view.Now = s.fileRow(&view.page, tree, dir, info)
	for _, o := range list {
		view.Rows = append(view.Rows, versionRow{Version: o, Href: here + "?versions=" + url.QueryEscape(name) + "&id=" + url.QueryEscape(o.ID),
			Changed: view.Stamp(o.ModTime), Replaced: view.Stamp(o.At)})
	}
	return s.write(v, http.StatusOK, "versions", view)
}

// restoreVersion makes an old version of a file its content again.
func (s *Server) restoreVersion(v *visit, tree *files.Tree, here, target string) error {
	name := path.Base(target)
	page := here + "?versions=" + url.QueryEscape(name)
	if err := tree.RestoreVersion(v.ctx(), target, v.form("id")); err != nil {
		return v.refused(page, v.T("versions.the_version_of_was_not_restored", quoted(name)), err)
	}
	return v.done(page, "versions.is_what_it_was_what_it", quoted(name))
}
