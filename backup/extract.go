package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"
)

// Owner is whom restored files are given to.
type Owner struct {
	Kept     bool // as the archive says: the server gives files to their owners, and runs as root
	UID, GID int  // else to these; -1: nobody is asked
}

// Into says where an archive is unpacked: folders that are there and empty.
type Into struct {
	Data  string // gets data/ and config/ as they are, and the database
	Files string // gets what is below files/; "": nothing is expected there
	Owner Owner
}

// DatabaseIn is where Extract puts the copy of the database.
func (i Into) DatabaseIn() string { return filepath.Join(i.Data, databaseName) }

// Extract unpacks an archive and checks it as Verify does. What it has written when it fails is not to be used.
func Extract(ctx context.Context, src io.Reader, ids []age.Identity, store Checker, into Into, progress func(Progress)) (m Manifest, err error) {
	p := Progress{Stage: "files"}
	r, err := begun(ctx, src, ids, &p, progress)
	if err != nil {
		return m, err
	}
	defer r.close()
	x := &extractor{into: into, buf: make([]byte, 256<<10), files: &p.Files}
	if x.data, err = os.OpenRoot(into.Data); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, x.data.Close()) }()
	if into.Files != "" {
		if x.tree, err = os.OpenRoot(into.Files); err != nil {
			return m, err
		}
		defer func() { err = errors.Join(err, x.tree.Close()) }()
	}
	if m, err = r.all(x); err != nil {
		return m, err
	}
	if err := x.finish(); err != nil {
		return m, err
	}
	return m, checkDatabase(ctx, store, into.DatabaseIn(), m)
}

// extractor puts members where they belong. An os.Root follows no link that leads out of it, and while
// members come there are no links at all.
type extractor struct {
	into  Into
	data  *os.Root
	tree  *os.Root
	links []*tar.Header
	buf   []byte
	files *int64
	last  string // the folder that was made last
}

func (x *extractor) member(h *tar.Header, body io.Reader) error {
	name, ok := strings.CutPrefix(h.Name, filesPrefix)
	if !ok {
		return x.small(h, body)
	}
	if x.tree == nil {
		return fmt.Errorf("%w: %s, and this server keeps its files elsewhere (files.storage)", ErrUnsafe, shorten(h.Name))
	}
	name = strings.TrimSuffix(name, "/")
	if name == "" {
		return fmt.Errorf("%w: %s", ErrUnsafe, shorten(h.Name))
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		if len(x.links) >= maxLinks {
			return fmt.Errorf("%w: more than %d links", ErrUnsafe, maxLinks)
		}
		x.links = append(x.links, h)
		return nil
	case tar.TypeDir:
		return x.folder(name, h)
	}
	*x.files++
	return x.file(name, h, body)
}

// small writes what is not people's.
func (x *extractor) small(h *tar.Header, body io.Reader) error {
	if err := x.data.MkdirAll(path.Dir(h.Name), 0o700); err != nil {
		return err
	}
	f, err := x.data.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s comes twice", ErrUnsafe, shorten(h.Name))
	}
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, body, x.buf)
	if err == nil {
		err = x.give(f, h)
	}
	return errors.Join(err, f.Close())
}

func (x *extractor) parents(name string) error {
	dir := path.Dir(name)
	if dir == x.last {
		return nil
	}
	if err := x.tree.MkdirAll(dir, 0o700); err != nil {
		return misplaced(err, name)
	}
	x.last = dir
	return nil
}

// misplaced is an error of making something where a thing of another kind is.
func misplaced(err error, name string) error {
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrExist) || errors.Is(err, unix.EISDIR) {
		return fmt.Errorf("%w: %s is below or in the place of something else", ErrUnsafe, shorten(name))
	}
	return err
}

// file writes a file of people; one that comes again has changed while it was copied, and counts.
func (x *extractor) file(name string, h *tar.Header, body io.Reader) error {
	if err := x.parents(name); err != nil {
		return err
	}
	f, err := x.tree.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return misplaced(err, name)
	}
	if err = x.copy(f, body, h.Size); err == nil {
		err = x.dress(f, h)
	}
	return errors.Join(err, f.Close())
}

// copy writes the content; where it is zeros for long, a hole.
func (x *extractor) copy(f *os.File, body io.Reader, size int64) error {
	const hole = 64 << 10
	zeros := make([]byte, hole)
	var at int64
	for {
		n, err := io.ReadFull(body, x.buf)
		for b := x.buf[:n]; len(b) > 0; {
			piece := b[:min(len(b), hole)]
			b = b[len(piece):]
			if len(piece) < hole || !bytes.Equal(piece, zeros) {
				if _, err := f.WriteAt(piece, at); err != nil {
					return err
				}
			}
			at += int64(len(piece))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return f.Truncate(size)
		}
		if err != nil {
			return err
		}
	}
}

// folder makes a folder, or dresses the one that its entries have made.
func (x *extractor) folder(name string, h *tar.Header) error {
	if err := x.tree.MkdirAll(name, 0o700); err != nil {
		return misplaced(err, name)
	}
	x.last = name
	f, err := x.tree.Open(name)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil && !st.IsDir() {
		err = misplaced(unix.ENOTDIR, name)
	}
	if err == nil {
		err = x.dress(f, h)
	}
	return errors.Join(err, f.Close())
}

// dress gives a file or folder its owner, attributes, mode and time, in the order in which the one does not
// undo the other.
func (x *extractor) dress(f *os.File, h *tar.Header) error {
	if err := x.give(f, h); err != nil {
		return err
	}
	for k, v := range h.PAXRecords {
		n, ok := strings.CutPrefix(k, paxAttr)
		if !ok {
			continue
		}
		if !strings.HasPrefix(n, attrPrefix) {
			return fmt.Errorf("%w: %s has the attribute %q", ErrUnsafe, shorten(h.Name), shorten(n))
		}
		if err := xattr.FSet(f, n, []byte(v)); err != nil {
			return fmt.Errorf("%s: the attribute %s cannot be kept; owners and modes stand in it, so restore onto a file system that keeps extended attributes: %w", shorten(h.Name), n, err)
		}
	}
	mode := goMode(h.Mode)
	if !x.into.Owner.Kept { // the server's own account always may
		mode |= 0o600
		if h.Typeflag == tar.TypeDir {
			mode |= 0o700
		}
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	at, mt := stamp(h.ModTime)
	return setTimes(f, at, mt)
}

func (x *extractor) give(f *os.File, h *tar.Header) error {
	switch {
	case x.into.Owner.Kept && strings.HasPrefix(h.Name, filesPrefix):
		return f.Chown(h.Uid, h.Gid)
	case x.into.Owner.UID >= 0:
		return f.Chown(x.into.Owner.UID, x.into.Owner.GID)
	}
	return nil
}

func setTimes(f *os.File, at, mt time.Time) error {
	return unix.UtimesNanoAt(int(f.Fd()), "", []unix.Timespec{unix.NsecToTimespec(at.UnixNano()), unix.NsecToTimespec(mt.UnixNano())}, unix.AT_EMPTY_PATH)
}

// finish makes the links and sees that all is on disk.
func (x *extractor) finish() error {
	for _, h := range x.links {
		if err := x.link(h); err != nil {
			return err
		}
	}
	for _, r := range []*os.Root{x.data, x.tree} {
		if r == nil {
			continue
		}
		f, err := r.Open(".")
		if err != nil {
			return err
		}
		err = unix.Syncfs(int(f.Fd()))
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// link makes a link; it is of people's, and the server follows it inside its own tree alone.
func (x *extractor) link(h *tar.Header) (err error) {
	name := strings.TrimPrefix(h.Name, filesPrefix)
	if err := x.tree.MkdirAll(path.Dir(name), 0o700); err != nil {
		return misplaced(err, name)
	}
	dir, err := x.tree.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	before, err := dir.Stat()
	if err != nil {
		return err
	}
	fd, base := int(dir.Fd()), path.Base(name)
	err = unix.Symlinkat(h.Linkname, fd, base)
	if errors.Is(err, fs.ErrExist) {
		var st unix.Stat_t
		if serr := unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); serr != nil || st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return errors.Join(misplaced(err, name), serr)
		}
		if err = unix.Unlinkat(fd, base, 0); err == nil { // it has changed while it was copied
			err = unix.Symlinkat(h.Linkname, fd, base)
		}
	}
	if err != nil {
		return err
	}
	ts := unix.NsecToTimespec(h.ModTime.UnixNano())
	if err := unix.UtimesNanoAt(fd, base, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if o := x.into.Owner; o.Kept {
		err = unix.Fchownat(fd, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW)
	} else if o.UID >= 0 {
		err = unix.Fchownat(fd, base, o.UID, o.GID, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return err
	}
	return setTimes(dir, before.ModTime(), before.ModTime())
}
