package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
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
// length. Nothing is listed and nothing replaced: a second file of a name gets a number, and so does a second folder, which is
// the visitor's alone then. The address has the name that the visitor gave, and the numbers sealed: it tells nobody what is there.
const (
	maxDropping  = 50             // unfinished uploads of a share; for one more, the one that rests longest is given up
	dropLife     = 24 * time.Hour // after which a resting one is no longer counted
	maxDropBoxes = 1024           // in which uploads rest, before those are forgotten in which all have rested for dropLife
	maxDropKeep  = 100            // numbers that are tried for what shall stand beside another, before they are drawn
	maxDropDepth = 32             // folders in one another
	maxDropMade  = 2000           // folders that a share makes in dropLife
	maxDropTops  = 4096           // folders of visitors whose numbers are known
)

// dropTag is a fresh tag for an upload, with the numbers that its file and folder got sealed in it: proof that this visitor
// began it, for this name and length, and nothing that tells them what stands there.
func (s *Server) dropTag(v *visit, x files.Share, n dropName, size int64) string {
	random := newTag()
	nonce, about := s.sealed(v, x, random, n.segs, size)
	numbers := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, n.folder), n.file)
	return random + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s.dropSeal.Seal(nil, nonce, numbers, about))
}

// ownDrop reads the tag: false where this visitor did not begin that upload.
func (s *Server) ownDrop(v *visit, x files.Share, tag string, segs []string, size int64) (dropName, bool) {
	n := dropName{segs: segs}
	random := len(newTag())
	if len(tag) <= random {
		return n, false
	}
	hidden, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(tag[random:])
	if err != nil {
		return n, false
	}
	nonce, about := s.sealed(v, x, tag[:random], segs, size)
	numbers, err := s.dropSeal.Open(nil, nonce, hidden, about)
	if err != nil || len(numbers) != 4 {
		return n, false
	}
	n.folder, n.file = binary.BigEndian.Uint16(numbers), binary.BigEndian.Uint16(numbers[2:])
	return n, true
}

// newDropSeal is what seals the numbers of uploads into drop boxes.
func newDropSeal(secret []byte) (cipher.AEAD, error) {
	key := sha256.Sum256(secret)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("making the seal of drop boxes: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealed is what a seal is bound to: session, share, name and length. The nonce is of the tag's own random part, which is never
// used twice.
func (s *Server) sealed(v *visit, x files.Share, random string, segs []string, size int64) (nonce, about []byte) {
	sum := sha256.Sum256([]byte(random))
	return sum[:s.dropSeal.NonceSize()], []byte(strings.Join([]string{v.browser.ID(), x.ID, random, strconv.FormatInt(size, 10), strings.Join(segs, "/")}, "\x00"))
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
	segs, err := dropSegments(name)
	if !ok || err != nil {
		return r, nil, errAbsent
	}
	if r, err = v.resumableAt(path.Join(x.Path, name)); err != nil {
		return r, nil, err
	}
	n, ok := s.ownDrop(v, x, r.tag, segs, r.size)
	if r.replace || !ok {
		return r, nil, errAbsent
	}
	r.share, r.asked = &x, segs
	if r.path, err = n.path(x.Path); err != nil {
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
	segs, err := dropSegments(meta["filename"])
	if err != nil {
		return err
	}
	r := resumable{size: size, share: &x, asked: segs}
	u, err := s.openDrop(v, x, tree, segs, func(n dropName, p string) files.UploadOptions {
		r.path, r.tag = p, s.dropTag(v, x, n, size)
		return r.options(0, size)
	})
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

	making sync.Mutex // held while a visitor's folder is made, so that two files of it do not make two; guards what follows
	tops   map[dropTop]dropMade
	made   map[string]dropCount // by share
}

// dropping is one of them.
type dropping struct {
	path, tag string
	last      time.Time
}

func newDrops() *drops {
	return &drops{open: map[string][]dropping{}, tops: map[dropTop]dropMade{}, made: map[string]dropCount{}}
}

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

// dropAddress is the address of an upload into a drop box: by the name that the visitor gave.
func dropAddress(r resumable) string {
	return pathOf(append([]string{"s", r.share.Code}, r.asked...)...)
}

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
