package dav

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"trivium/files"
)

// mkcol makes a folder (RFC 4918 section 9.3).
func (q *request) mkcol() error {
	if n, _ := io.ReadFull(q.r.Body, make([]byte, 1)); n > 0 {
		return errMedia
	}
	err := q.tree.Mkdir(q.ctx, q.path)
	if errors.Is(err, fs.ErrExist) {
		return errTaken
	}
	if err != nil {
		return q.parent(err)
	}
	q.empty(http.StatusCreated)
	return nil
}

// empty answers without a body.
func (q *request) empty(status int) {
	if status != http.StatusNoContent {
		q.w.Header().Set("Content-Length", "0")
	}
	q.w.WriteHeader(status)
}

// remove removes a file, a link, or a folder with all in it (RFC 4918 section 9.6).
func (q *request) remove() error {
	if d := q.r.Header.Get("Depth"); d != "" && d != "infinity" {
		if i, err := q.tree.Lstat(q.ctx, q.path); err == nil && i.Dir {
			return errDepth // section 9.6.1
		}
	}
	if _, err := q.tree.Lstat(q.ctx, q.path); err != nil {
		return err
	}
	q.patient()
	if err := q.tree.RemoveAll(q.ctx, q.path); err != nil {
		return q.partly(err)
	}
	q.empty(http.StatusNoContent)
	return nil
}

// goal is where a COPY or MOVE leads.
type goal struct {
	path   string
	exists bool
	info   files.Info
}

// destination reads the headers of COPY and MOVE (RFC 4918 sections 10.3 and 10.6), and refuses what
// would destroy its own source.
func (q *request) destination(src files.Info) (goal, error) {
	address := q.r.Header.Get("Destination")
	if address == "" {
		return goal{}, errDestination
	}
	p, slash, err := q.local(address)
	if err != nil {
		return goal{}, err
	}
	if !q.sees(p) {
		return goal{}, errParent
	}
	if q.nested(p, src.Dir) {
		return goal{}, errItself
	}
	g := goal{path: p}
	g.info, err = q.tree.Lstat(q.ctx, p)
	switch g.exists = err == nil; {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return goal{}, q.parent(err)
	case !g.exists && slash && !src.Dir:
		return goal{}, errParent // a folder that is not there
	case g.exists && strings.EqualFold(q.r.Header.Get("Overwrite"), "F"):
		return goal{}, errCondition
	case g.exists && g.info.Unique == src.Unique:
		return goal{}, errItself // two names of one file
	}
	return g, nil
}

// nested reports whether the goal is the source, holds it, or lies in it where that is a folder: by
// what is written, and by where links and other forms of names lead.
func (q *request) nested(goal string, dir bool) bool {
	from, end := q.tree.Canonical(q.ctx, q.path)
	to, _ := q.tree.Canonical(q.ctx, goal)
	for _, pair := range [][2]string{{q.path, goal}, {from, to}, {end, to}} {
		if below(pair[1], pair[0]) || dir && below(pair[0], pair[1]) {
			return true
		}
	}
	return false
}

// below reports whether p is the folder, or in it.
func below(folder, p string) bool {
	return p == folder || strings.HasPrefix(p, strings.TrimSuffix(folder, "/")+"/")
}

// clear removes what stands in the way of a folder, or of a file if it is a folder (RFC 4918 section
// 9.9.3): a file that replaces a file does so in one step.
func (q *request) clear(g goal, src files.Info) error {
	if !g.exists || !src.Dir && !g.info.Dir {
		return nil
	}
	return q.tree.RemoveAll(q.ctx, g.path)
}

// copy copies a file or a folder (RFC 4918 section 9.8).
func (q *request) copy() error {
	deep, err := q.deep()
	if err != nil {
		return err
	}
	src, err := q.stat(q.path)
	if err != nil {
		return err
	}
	if a := q.tree.Access(src); !src.Dir && !a.Read || src.Dir && !a.List {
		return &fs.PathError{Op: "copy", Path: q.path, Err: fs.ErrPermission} // before anything is removed
	}
	g, err := q.destination(src)
	if err != nil {
		return err
	}
	q.patient()
	if err := q.clear(g, src); err != nil {
		return q.partly(err)
	}
	return q.moved(g, q.tree.Copy(q.ctx, q.path, g.path, files.CopyOptions{Over: true, Deep: deep}))
}

// move moves a file or a folder (RFC 4918 section 9.9). Between two trees a folder is copied and
// then removed.
func (q *request) move() error {
	if deep, err := q.deep(); err != nil || !deep {
		return errDepth
	}
	src, err := q.tree.Lstat(q.ctx, q.path)
	if err != nil {
		return err
	}
	g, err := q.destination(src)
	if err != nil {
		return err
	}
	if !q.tree.Access(src).Rename {
		return &fs.PathError{Op: "move", Path: q.path, Err: fs.ErrPermission} // before anything is removed
	}
	if err := q.tree.Unlocked(q.ctx, q.path, true); err != nil {
		return err
	}
	q.patient()
	if err := q.clear(g, src); err != nil {
		return q.partly(err)
	}
	err = q.tree.Rename(q.ctx, q.path, g.path)
	if errors.Is(err, files.ErrUnsupported) && src.Dir {
		if err = q.tree.Copy(q.ctx, q.path, g.path, files.CopyOptions{Deep: true}); err == nil {
			err = q.tree.RemoveAll(q.ctx, q.path)
		}
	}
	return q.moved(g, err)
}

// moved answers a COPY or MOVE.
func (q *request) moved(g goal, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return errCondition // somebody has just made it
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, files.ErrNotDir):
		return q.parent(err)
	case err != nil:
		return q.partly(err)
	case g.exists:
		q.empty(http.StatusNoContent)
	default:
		q.w.Header().Set("Location", (&url.URL{Path: Prefix + g.path}).EscapedPath())
		q.empty(http.StatusCreated)
	}
	return nil
}

// deep reads a Depth header that may be 0 or infinity, which is also the default.
func (q *request) deep() (bool, error) {
	switch d := q.r.Header.Get("Depth"); {
	case d == "" || strings.EqualFold(d, "infinity"):
		return true, nil
	case d == "0":
		return false, nil
	}
	return false, errDepth
}
