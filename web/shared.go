package web

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

	"trivium/files"
	"trivium/identity"
)

// maxUnlocked is how many shares a browser has open whose password it has shown; their addresses never
// hold it.
const maxUnlocked = 20

// unlockedKey names them in the browser's session.
func unlockedKey() identity.DataKey[[]string] { return identity.NewDataKey[[]string]("web.unlocked") }

// sharedView is the page of a share for whoever has its address.
type sharedView struct {
	page
	Name     string
	Drop     bool
	Dir      bool
	Locked   bool // it asks for the password
	Password field
	Here     string // address of what is shown
	Src      string // of the file
	Kind     preview
	Size     int64
	Changed  stamp
	Crumbs   []crumb
	Rows     []fileRow
	Cut      bool
	Zip      bool // there is something to download as an archive
	Expires  stamp
}

// maxSharedRows is how many entries of a folder the page of a share shows.
const maxSharedRows = 5000

// guest finds the share that the address names, with the owner's tree as far as it goes. locked says
// that its password has not been shown yet; then there is no tree.
func (s *Server) guest(v *visit) (x files.Share, tree *files.Tree, locked bool, err error) {
	if x, err = s.opt.Files.Shared(v.ctx(), v.param("code")); err != nil {
		return x, nil, false, err
	}
	if x.Locked() && x.Owner != v.creds.UserID {
		open, _ := unlockedKey().Get(v.browser)
		if !slices.Contains(open, x.ID) {
			return x, nil, true, nil
		}
	}
	return x, s.opt.Files.ViewShare(v.browser.Session, x, s.opt.Identity), false, nil
}

// within is the path in the owner's tree that the address names below the share.
func (s *Server) within(v *visit, x files.Share) (string, error) {
	rest := strings.TrimPrefix(v.Request().URL.Path, "/s/"+v.param("code"))
	if rest = strings.Trim(rest, "/"); rest == "" {
		return x.Path, nil
	}
	if !x.Dir || x.Drop {
		return "", errAbsent
	}
	p, err := files.Clean("/", "/"+rest)
	if err != nil {
		return "", errAbsent
	}
	return path.Join(x.Path, p), nil
}

// gone answers what a share cannot open, whatever the reason: its owner's troubles are nobody's
// business.
func gone(err error) error {
	if answerTo(err).fallback || errors.Is(err, identity.ErrUnavailable) || errors.Is(err, identity.ErrEnded) {
		return err
	}
	return files.ErrShareGone
}

func (s *Server) getShared(v *visit) error {
	if isUpload(v.Request()) {
		return s.headShared(v)
	}
	x, tree, locked, err := s.guest(v)
	if err != nil {
		return err
	}
	if locked {
		return s.askSharePassword(v, http.StatusOK, x, "")
	}
	p, err := s.within(v, x)
	if err != nil {
		return err
	}
	info, err := tree.Stat(v.ctx(), p)
	if err != nil || p == x.Path && info.Dir != x.Dir {
		if p != x.Path {
			return errAbsent
		}
		return gone(err)
	}
	q := v.Request().URL.Query()
	if !info.Dir && (p != x.Path || q.Has("download")) {
		return s.downloadShared(v, x, tree, p)
	}
	view := &sharedView{Name: path.Base(p), Drop: x.Drop, Dir: info.Dir, Here: v.Request().URL.EscapedPath(), Size: info.Size}
	v.fill(&view.page, "share", view.Name)
	view.Changed, view.Expires = view.Stamp(info.ModTime), view.Stamp(x.ExpiresAt)
	if !info.Dir {
		view.Src = view.Here + "?download"
		if k := previewOf(p); x.Limit > 0 {
			view.Kind = previewNone // looking is a download too, and they are counted
		} else if k == previewImage || k == previewAudio || k == previewVideo {
			view.Kind = k
		}
	}
	if info.Dir && !x.Drop {
		if err := view.list(v, tree, x, p); err != nil {
			return gone(err)
		}
	}
	return s.write(v, http.StatusOK, "shared", view)
}

// errEnough ends a listing.
var errEnough = errors.New("enough was looked at")

// list fills in what is in a shared folder.
func (w *sharedView) list(v *visit, tree *files.Tree, x files.Share, p string) error {
	base := pathOf("s", x.Code)
	at := base
	w.Crumbs = []crumb{{Label: path.Base(x.Path), Href: at, Here: p == x.Path}}
	for _, seg := range strings.Split(strings.Trim(strings.TrimPrefix(p, x.Path), "/"), "/") {
		if seg != "" {
			at += pathOf(seg)
			w.Crumbs = append(w.Crumbs, crumb{Label: seg, Href: at})
		}
	}
	w.Crumbs[len(w.Crumbs)-1].Here = true
	var list []files.Info
	err := tree.ReadDir(v.ctx(), p, func(i files.Info) error {
		if len(list) == maxSharedRows {
			w.Cut = true
			return errEnough
		}
		if !i.Link && !i.Part {
			list = append(list, i)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	sortFiles(list, "name")
	for _, i := range list {
		r := fileRow{Info: i, Kind: "file", Href: at + pathOf(i.Name), Changed: w.Stamp(i.ModTime)}
		if i.Dir {
			r.Kind = "dir"
		}
		w.Rows = append(w.Rows, r)
	}
	w.Zip = len(w.Rows) > 0
	return nil
}

// downloadShared sends a file, and counts it where it is sent from its beginning.
func (s *Server) downloadShared(v *visit, x files.Share, tree *files.Tree, p string) error {
	f, err := tree.Open(v.ctx(), p)
	if err != nil {
		if p != x.Path {
			return errAbsent
		}
		return gone(err)
	}
	if r := v.Request(); r.Method == http.MethodGet && (r.Header.Get("Range") == "" || strings.HasPrefix(r.Header.Get("Range"), "bytes=0-")) {
		if err := s.useShare(v, x, p); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return s.sendFile(v, f, p)
}

// useShare counts a use of a link, and tells whose it is, where they want to hear of it.
func (s *Server) useShare(v *visit, x files.Share, path string) error {
	if err := s.opt.Files.UseShare(v.ctx(), x); err != nil {
		return err
	}
	s.opt.Identity.Tell(x.Owner, identity.Notice{Kind: identity.NoticeShare, Protocol: identity.ProtocolWeb, Remote: v.actor().Remote, What: path})
	return nil
}

func (s *Server) askSharePassword(v *visit, status int, x files.Share, trouble string) error {
	view := &sharedView{Locked: true, Here: pathOf("s", x.Code),
		Password: field{ID: "password", Name: "password", Label: "shared.password_of_the_link", Type: "password", Autocomplete: "off", Required: true, Focus: true}}
	v.fill(&view.page, "share", "shared.shared_with_you")
	if trouble != "" {
		view.trouble(&view.Password, trouble)
	}
	return s.write(v, status, "shared", view)
}

// postShared takes the password, the files for a drop box, or the wish for an archive.
func (s *Server) postShared(v *visit) error {
	if v.byScript() {
		return s.createDrop(v)
	}
	x, tree, locked, err := s.guest(v)
	if err != nil {
		return err
	}
	here := pathOf("s", x.Code)
	multipart := strings.HasPrefix(v.Request().Header.Get("Content-Type"), "multipart/")
	switch {
	case locked && multipart:
		return errAbsent
	case locked:
		return s.unlock(v, x)
	case x.Drop && multipart:
		return s.upload(v, tree, here, intake{dir: x.Path, share: &x, before: func() error { return s.useShare(v, x, x.Path) }})
	case multipart || x.Drop || !x.Dir || v.form("do") != "zip":
		return errMalformed
	}
	p, err := s.within(v, x)
	if err != nil {
		return err
	}
	if err := s.useShare(v, x, x.Path); err != nil {
		return err
	}
	return s.sendZip(v, tree, selection{verb: "zip", dir: path.Dir(p), names: []string{path.Base(p)}})
}

// unlock checks the password as log-ins are checked, and notes in the session that it was shown.
func (s *Server) unlock(v *visit, x files.Share) error {
	err := s.opt.Identity.Guess(v.ctx(), v.browser.Session, "share "+x.ID, func() error {
		return x.CheckPassword(identity.NewSecret(v.form("password")))
	})
	if errors.Is(err, identity.ErrCredentials) {
		return s.askSharePassword(v, http.StatusUnauthorized, x, "shared.that_is_not_the_password")
	}
	if err != nil {
		return err
	}
	open, _ := unlockedKey().Get(v.browser)
	open = append(open, x.ID)
	if err := unlockedKey().Set(v.browser, open[max(0, len(open)-maxUnlocked):]); err != nil {
		return err
	}
	return v.see(pathOf("s", x.Code))
}
