package web

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
)

type propertiesView struct {
	page
	fileRow
	Crumbs        []crumb
	Here          string // address of the folder that it lies in
	Path          string
	Name          string
	Sort          string // what sort of file it is, a key of the catalogue; "" where nobody knows
	Type          string // media type; "" where nobody knows
	Born          stamp
	Algorithms    []option
	Sum           string // of the file, in hexadecimal
	SumOf         string // by which algorithm
	SumFault      string // why there is none
	Measured      *measured
	Uses          []useRow
	AllUses       bool // those of others are among them
	Locks         []lockRow
	Old           string // address of the page of old versions; "" where there are none
	Versions      int
	VersionsBytes int64
	Shares        []shareRow
	AllShares     bool // those of others are among them
	Tree          string
	Quota         *quota
}

// measured is what lies in a folder.
type measured struct {
	Bytes          int64
	Files, Folders int64
	All            bool
}

// useRow is somebody who has the entry open.
type useRow struct {
	sessionRow
	In     bool   // it is being uploaded
	Inside string // what of a folder; "" where it is the entry itself
	Begun  stamp
	Done   string // how far it is; "" where that is unknown
}

type lockRow struct {
	files.Lock
	Above string // the folder that is locked with all in it; "" where it is the entry itself
	Until stamp
}

// sortKey is what a file of its kind is called; "" where it has none.
func sortKey(i files.Info) string {
	if k := files.KindOf(i); k != "" {
		return "properties.kind_" + string(k)
	}
	return ""
}

// showProperties is the page about one entry of a folder. With measure it adds up what lies in a folder, with sum it
// computes a checksum; both end when the browser leaves.
func (s *Server) showProperties(v *visit, tree *files.Tree, dir, name string) error {
	p, err := member(dir, name)
	if err != nil {
		return errAbsent
	}
	info, err := tree.Lstat(v.ctx(), p)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = tree.Stat(v.ctx(), p) // it may be one's own unfinished upload
	}
	if err != nil {
		return err
	}
	q := v.Request().URL.Query()
	view := &propertiesView{Here: filesHref(dir), Name: name, Path: info.Path, Sort: sortKey(info)}
	view.Crumbs, _ = v.crumbs(p)
	view.Crumbs = view.Crumbs[:len(view.Crumbs)-1]
	v.fill(&view.page, "files", v.T("properties.properties_of", name))
	view.fileRow = s.fileRow(&view.page, tree, dir, info)
	view.Born, view.Old = view.Stamp(info.Created), view.fileRow.Versions
	view.Tree = tree.Counted(info)
	if !info.Dir {
		view.Type = files.TypeOf(name)
	}
	view.Quota = s.quota(v, &view.page, p)
	if err := s.propertiesAround(v, tree, view); err != nil {
		return err
	}
	access := tree.Access(info)
	switch {
	case view.Kind == "file" && access.Read:
		if err := view.checksum(v, tree, q.Get("sum")); err != nil {
			return err
		}
	case view.Kind == "dir" && access.List && q.Has("measure"):
		v.long()
		m := &measured{}
		if m.Bytes, m.Files, m.Folders, m.All, err = tree.Measure(v.ctx(), p); err != nil {
			return err
		}
		view.Measured = m
	}
	return s.write(v, http.StatusOK, "properties", view)
}

// checksum computes the checksum that the visitor wants, and says why where it cannot be.
func (w *propertiesView) checksum(v *visit, tree *files.Tree, wanted string) error {
	for _, a := range files.Algorithms() {
		w.Algorithms = append(w.Algorithms, option{Value: string(a), Label: string(a), Selected: string(a) == wanted})
	}
	if wanted == "" {
		return nil
	}
	if !slices.Contains(files.Algorithms(), files.Algorithm(wanted)) {
		return errMalformed
	}
	v.long()
	sum, err := tree.SumWhole(v.ctx(), w.Path, files.Algorithm(wanted))
	switch {
	case errors.Is(err, files.ErrSumLarge):
		w.SumFault = v.T("properties.sum_large", v.words.Bytes(files.MaxSummed))
	case errors.Is(err, files.ErrSumBusy):
		w.SumFault = v.T("properties.sum_busy")
	case errors.Is(err, files.ErrSumSlow):
		w.SumFault = v.T("properties.sum_slow", int(files.MaxSumTime/time.Minute))
	case err != nil:
		return err
	}
	w.Sum, w.SumOf = hex.EncodeToString(sum), wanted
	return nil
}

// propertiesAround fills in what hangs on an entry: who has it open, locks, versions and links.
func (s *Server) propertiesAround(v *visit, tree *files.Tree, view *propertiesView) error {
	if view.Part {
		return nil
	}
	var err error
	if view.Uses, err = s.usesOf(v, tree, view); err != nil {
		return err
	}
	for _, l := range tree.LocksOf(view.Info) {
		r := lockRow{Lock: l, Until: view.Stamp(s.now().Add(l.Left))}
		if l.Path != view.Path {
			r.Above = l.Path
		}
		view.Locks = append(view.Locks, r)
	}
	if view.Old != "" {
		list, err := tree.Versions(v.ctx(), view.Path)
		if err != nil {
			return err
		}
		for _, o := range list {
			view.Versions++
			view.VersionsBytes += o.Size
		}
	}
	view.Shares, err = s.sharesOf(v, tree, view)
	return err
}

// usesOf are the sessions that have the entry open: the visitor's own, and others' for who may see what all roads
// move.
func (s *Server) usesOf(v *visit, tree *files.Tree, view *propertiesView) ([]useRow, error) {
	list, err := tree.Uses(v.ctx(), view.Path)
	if errors.Is(err, files.ErrUnsupported) || view.Link {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b files.Use) int { return a.Since.Compare(b.Since) })
	view.AllUses = view.May("/admin/transfers")
	var rows []useRow
	for _, u := range list {
		ses, ok := s.opt.Registry.Get(u.Session)
		if !ok {
			continue
		}
		i := ses.Info()
		if !view.AllUses && (i.Owner == "" || i.Owner != v.creds.UserID) {
			continue
		}
		r := useRow{sessionRow: s.sessionRows(v, &view.page, []identity.Info{i}, "/sessions")[0], In: u.Write, Begun: view.Stamp(u.Since)}
		r.Inside = strings.TrimPrefix(strings.TrimPrefix(u.Path, view.Path), "/")
		if x := i.Transfer; x != nil && x.Size > 0 && path.Base(x.Path) == path.Base(u.Path) {
			r.Done = v.T("sessions.bytes_of", v.words.Bytes(x.Bytes), v.words.Bytes(x.Size), percent(x.Bytes, x.Size))
		}
		if rows = append(rows, r); len(rows) == perPage {
			break
		}
	}
	return rows, nil
}

// sharesOf are the links that open the entry, or a folder in which it lies: the visitor's own; for administrators
// everybody's.
func (s *Server) sharesOf(v *visit, tree *files.Tree, view *propertiesView) ([]shareRow, error) {
	canon := tree.CanonicalOf(view.Info)
	if v.creds.UserID == "" || canon == "" {
		return nil, nil
	}
	owner := v.creds.UserID
	if view.AllShares = v.level.Allows(identity.LevelAdmin); view.AllShares {
		owner = ""
	}
	list, err := s.opt.Files.Shares(v.ctx(), owner)
	if err != nil {
		return nil, err
	}
	var rows []shareRow
	for _, x := range list {
		if x.Canonical != canon && !strings.HasPrefix(canon, x.Canonical+"/") || x.Drop && x.Canonical != canon || x.Over(s.now()) {
			continue
		}
		r := shareRow{Share: x, Expires: view.Stamp(x.ExpiresAt), Created: view.Stamp(x.CreatedAt)}
		if x.Canonical == canon {
			r.Path = ""
		}
		if x.Owner != v.creds.UserID {
			r.Code = "" // opens it
			if a, err := s.opt.Identity.UserByID(v.ctx(), x.Owner); err == nil {
				r.Whose = s.display(a.Login, a.Domain)
			} else {
				r.Whose = "—"
			}
		}
		if rows = append(rows, r); len(rows) == perPage {
			break
		}
	}
	return rows, nil
}

// propertiesHref is the address of the page about an entry of the folder at.
func propertiesHref(at, name string) string { return at + "?properties=" + url.QueryEscape(name) }
