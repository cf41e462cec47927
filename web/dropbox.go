package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"trivium/files"
)

// Uploads into a drop box that can go on after a break. What a visitor sends lies among the owner's unfinished
// uploads, so the address of each carries a proof that this visitor began it, under this link, for this file and
// length. Nothing is listed and nothing replaced: a second file of a name gets a number.
const (
	maxDropping  = 50             // unfinished uploads of a share; for one more, the one that rests longest is given up
	dropLife     = 24 * time.Hour // after which a resting one is no longer counted
	maxDropBoxes = 1024           // in which uploads rest, before those are forgotten in which all have rested for dropLife
	maxDropKeep  = 100            // names that are tried for a file that shall stand beside another
)

// dropMAC is the proof in the tag of an upload: nobody else's session, and no other file, has it.
func (s *Server) dropMAC(v *visit, x files.Share, random, p string, size int64) string {
	m := hmac.New(sha256.New, s.dropKey)
	m.Write([]byte(strings.Join([]string{v.browser.ID(), x.ID, random, strconv.FormatInt(size, 10), p}, "\x00")))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(m.Sum(nil)[:16])
}

// dropTag is a fresh tag with its proof.
func (s *Server) dropTag(v *visit, x files.Share, p string, size int64) string {
	random := newTag()
	return random + s.dropMAC(v, x, random, p, size)
}

// ownsDrop reports whether this visitor began the upload.
func (s *Server) ownsDrop(v *visit, x files.Share, r resumable) bool {
	n := len(newTag())
	if len(r.tag) <= n {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(r.tag[n:]), []byte(s.dropMAC(v, x, r.tag[:n], r.path, r.size))) == 1
}

// dropBox is the drop box that the address names, open for this visitor. What is no drop box, or asks for its
// password, has nothing for scripts.
func (s *Server) dropBox(v *visit) (files.Share, *files.Tree, error) {
	x, tree, locked, err := s.guest(v)
	switch {
	case err != nil:
		return x, nil, err
	case locked, !x.Drop:
		return x, nil, errAbsent
	}
	return x, tree, nil
}

// dropped reads the address of an upload into a drop box.
func (s *Server) dropped(v *visit) (r resumable, tree *files.Tree, err error) {
	x, tree, err := s.dropBox(v)
	if err != nil {
		return r, nil, err
	}
	name, ok := strings.CutPrefix(v.Request().URL.Path, "/s/"+v.param("code")+"/")
	p, err := member(x.Path, name)
	if !ok || err != nil {
		return r, nil, errAbsent
	}
	if r, err = v.resumableAt(p); err != nil {
		return r, nil, err
	}
	r.share = &x
	if r.replace || !s.ownsDrop(v, x, r) {
		return r, nil, errAbsent
	}
	s.drops.touch(x.ID, r, s.now())
	return r, tree, nil
}

// createDrop begins an upload into a drop box.
func (s *Server) createDrop(v *visit) error {
	x, tree, err := s.dropBox(v)
	if err != nil {
		return err
	}
	size, meta, err := v.announced()
	if err != nil {
		return err
	}
	p, err := member(x.Path, meta["filename"])
	if err != nil {
		return err
	}
	var u *files.Upload
	r := resumable{size: size, share: &x}
	for n := 1; ; n++ {
		r.path = p
		if n > 1 {
			if r.path, err = files.Clean("/", numbered(p, n)); err != nil {
				return err
			}
		}
		r.tag = s.dropTag(v, x, r.path, size)
		u, err = tree.Create(v.ctx(), r.path, r.options(0, size))
		if err == nil || !errors.Is(err, fs.ErrExist) || n >= maxDropKeep {
			break
		}
	}
	if err != nil {
		return dropFault(err)
	}
	if old, ok := s.drops.add(x.ID, r, s.now()); ok {
		if err := tree.DropTagged(v.ctx(), old.path, old.tag); err != nil {
			s.log.Debug("an unfinished upload into a drop box stays", "request", requestID(v.Request()), "err", err)
		}
	}
	return s.started(v, r, u)
}

// dropFault hides what a visitor need not know: where the folder is gone, or the owner may no longer write there,
// the link is dead.
func dropFault(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return gone(err)
	}
	return err
}

// optionsShared is optionsFiles for a drop box.
func (s *Server) optionsShared(v *visit) error {
	if _, _, err := s.dropBox(v); err != nil {
		return err
	}
	return s.optionsFiles(v)
}

func (s *Server) patchDrop(v *visit) error {
	r, tree, err := s.dropped(v)
	if err != nil {
		return err
	}
	return s.goOn(v, r, tree)
}

func (s *Server) deleteDrop(v *visit) error {
	r, tree, err := s.dropped(v)
	if err != nil {
		return err
	}
	s.drops.remove(r.share.ID, r.tag)
	return s.forget(v, r, tree)
}

// countDrop counts a file that a drop box is about to get, whose link may have ended while it came.
func (s *Server) countDrop(v *visit, r resumable) error {
	if r.share == nil {
		return nil
	}
	x, err := s.opt.Files.Shared(v.ctx(), r.share.Code)
	if err != nil {
		return err
	}
	if err := s.opt.Files.UseShare(v.ctx(), x); err != nil {
		return err
	}
	s.drops.remove(x.ID, r.tag)
	return nil
}

// drops are the unfinished uploads of each drop box since the start, so that whoever has a link cannot fill
// the owner's quota with beginnings.
type drops struct {
	mu   sync.Mutex // guards open
	open map[string][]dropping
}

// dropping is one of them.
type dropping struct {
	path, tag string
	last      time.Time
}

func newDrops() *drops { return &drops{open: map[string][]dropping{}} }

// add notes an upload. Where there are too many it returns the one that has rested longest, which is no
// longer among them.
func (d *drops) add(share string, r resumable, now time.Time) (old dropping, full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.open[share][:0]
	for _, x := range d.open[share] { // in the order of their last sign of life
		if now.Sub(x.last) < dropLife {
			kept = append(kept, x)
		}
	}
	if full = len(kept) >= maxDropping; full {
		old, kept = kept[0], kept[1:]
	}
	if d.open[share] = append(kept, dropping{r.path, r.tag, now}); len(d.open) > maxDropBoxes {
		maps.DeleteFunc(d.open, func(_ string, list []dropping) bool { return now.Sub(list[len(list)-1].last) >= dropLife })
	}
	return old, full
}

// touch is a sign of life.
func (d *drops) touch(share string, r resumable, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.open[share]
	for i, x := range list {
		if x.tag == r.tag {
			copy(list[i:], list[i+1:])
			list[len(list)-1] = dropping{r.path, r.tag, now}
			return
		}
	}
}

func (d *drops) remove(share, tag string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.open[share]
	for i, x := range list {
		if x.tag == tag {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if d.open[share] = list; len(list) == 0 {
		delete(d.open, share)
	}
}

// dropAddress is the address of an upload into a drop box.
func dropAddress(r resumable) string { return pathOf("s", r.share.Code, path.Base(r.path)) }

// headShared answers for an upload; other questions about a share are those of its page.
func (s *Server) headShared(v *visit) error {
	r, tree, err := s.dropped(v)
	if err != nil {
		return err
	}
	v.Response().Header().Set("Cache-Control", "no-store")
	return s.headUpload(v, r, tree)
}

// isUpload reports whether a request for a share is about an upload.
func isUpload(r *http.Request) bool { return r.URL.Query().Has("upload") }
