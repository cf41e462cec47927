package backup

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"
)

const (
	attrPrefix = "user." // extended attributes that go in: those of the store, and of people's programs
	paxAttr    = "SCHILY.xattr."
	tries      = 3       // how often a file that changes under our hands is read
	inMemory   = 1 << 20 // bytes of a file that is looked at whole before it is written
	catchUps   = 3       // walks that look for what was moved
	unsteady   = 100     // names that the manifest has
)

// tree writes the folder of people's files.
type tree struct {
	w    *writer
	seed maphash.Seed
	seen map[uint64]struct{} // what was written, by name, size, time and inode
	new  int64               // of this walk
}

// left reports whether something, named from the root of all files on, stays out: unfinished uploads, what a
// restore has set aside, and what tries the file system out.
func left(name string) bool {
	parts := strings.Split(name, "/")
	if len(parts) == 1 {
		return strings.HasPrefix(name, AsidePrefix) || strings.HasPrefix(name, stagePrefix) || strings.HasPrefix(name, ".trivium-")
	}
	n := len(parts)
	if n < 2 || parts[n-1] != "parts" || parts[n-2] != ".trivium" {
		return false
	}
	return n == 4 && parts[1] == "pub" || n == 5 && (parts[1] == "home" || parts[1] == "groups")
}

// measure adds up what is to be written.
func (t *tree) measure(root string) (total int64, err error) {
	r, err := os.OpenRoot(root)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	err = t.walk(r, ".", "", func(_ *os.Root, _, _ string, st fs.FileInfo) error {
		if regular(st.Mode()) {
			total += st.Size()
		}
		return nil
	})
	return total, err
}

// all writes everything, and again what has come or moved meanwhile.
func (t *tree) all(root string, each func()) (err error) {
	r, err := os.OpenRoot(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody has a file yet
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	t.seed = maphash.MakeSeed()
	for range 1 + catchUps {
		t.new = 0
		err := t.walk(r, ".", "", func(in *os.Root, name, full string, st fs.FileInfo) error {
			err := t.entry(in, name, full, st)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it is gone, or moved: the next walk finds it
			}
			each()
			return err
		})
		if err != nil {
			return err
		}
		if t.new == 0 {
			break
		}
	}
	return nil
}

// walk calls fn with everything below a folder; a folder comes after what is in it, so that its own time can
// be set last. No link is followed.
func (t *tree) walk(in *os.Root, name, full string, fn func(in *os.Root, name, full string, st fs.FileInfo) error) error {
	if err := t.w.ctx.Err(); err != nil {
		return err
	}
	dir, err := in.OpenRoot(name)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // only read
	list, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = list.Close() }() // only read
	for {
		names, err := list.Readdirnames(1024)
		for _, n := range names {
			whole := path.Join(full, n)
			if left(whole) {
				continue
			}
			st, err := dir.Lstat(n)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if st.IsDir() {
				if err := t.walk(dir, n, whole, fn); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
			if err := fn(dir, n, whole, st); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// known reports whether exactly this was written before, and notes it.
func (t *tree) known(full string, st fs.FileInfo) bool {
	var h maphash.Hash
	h.SetSeed(t.seed)
	_, _ = h.WriteString(full) // a hash takes everything
	var b [24]byte
	size := st.Size()
	if st.IsDir() {
		size = 0
	}
	binary.LittleEndian.PutUint64(b[:], uint64(size))
	binary.LittleEndian.PutUint64(b[8:], uint64(st.ModTime().UnixNano()))
	binary.LittleEndian.PutUint64(b[16:], inode(st))
	_, _ = h.Write(b[:]) // the same
	sum := h.Sum64()
	if _, ok := t.seen[sum]; ok {
		return true
	}
	t.seen[sum] = struct{}{}
	return false
}

// entry writes one of them.
func (t *tree) entry(in *os.Root, name, full string, st fs.FileInfo) error {
	h := &tar.Header{Name: filesPrefix + full, Mode: int64(st.Mode().Perm()), ModTime: st.ModTime(), PAXRecords: map[string]string{}}
	h.Uid, h.Gid = owner(st)
	switch {
	case regular(st.Mode()):
		if t.known(full, st) {
			return nil
		}
		return t.content(in, name, h)
	case st.IsDir():
		if t.known(full, st) {
			return nil
		}
		h.Name += "/"
		h.Typeflag = tar.TypeDir
		h.Mode |= special(st.Mode())
		f, err := in.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // only read
		if err := attributes(f, h); err != nil {
			return err
		}
		t.w.m.Folders++
	case st.Mode().Type() == fs.ModeSymlink:
		if t.known(full, st) {
			return nil
		}
		to, err := in.Readlink(name)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, to
		t.w.m.Links++
	default:
		return nil // a socket or a pipe that somebody has put there is nothing to keep
	}
	t.new++
	_, err := t.w.put(h, bytes.NewReader(nil))
	return err
}

// content writes a file. One that another program changes meanwhile is written again, and what comes later in
// the archive counts.
func (t *tree) content(in *os.Root, name string, h *tar.Header) error {
	for try := 1; ; try++ {
		steady, err := t.once(in, name, h, try == tries)
		if err != nil || steady {
			return err
		}
		if try == tries {
			if len(t.w.m.Unsteady) < unsteady {
				t.w.m.Unsteady = append(t.w.m.Unsteady, h.Name)
			}
			return nil
		}
	}
}

// once writes a file as it is; steady: nobody changed it meanwhile. A small one that is not steady is not
// written, but for the last time.
func (t *tree) once(in *os.Root, name string, h *tar.Header, last bool) (steady bool, err error) {
	f, err := in.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, unix.ELOOP) {
			err = fs.ErrNotExist // a link has taken its place
		}
		return false, err
	}
	defer func() { _ = f.Close() }() // only read
	before, err := f.Stat()
	if err != nil || !regular(before.Mode()) {
		return true, err
	}
	h.PAXRecords = map[string]string{}
	if err := attributes(f, h); err != nil {
		return false, err
	}
	h.Size, h.ModTime, h.Mode = before.Size(), before.ModTime(), int64(before.Mode().Perm())
	body := io.Reader(f)
	if h.Size <= inMemory {
		b := make([]byte, h.Size)
		if n, err := io.ReadFull(f, b); err != nil && (n < len(b) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF)) {
			return false, fmt.Errorf("reading %s: %w", shorten(h.Name), err)
		}
		after, err := f.Stat()
		if err != nil {
			return false, err
		}
		if steady = same(before, after); !steady && !last {
			return false, nil
		}
		body = bytes.NewReader(b)
	}
	short, err := t.w.put(h, body)
	if err != nil {
		return false, err
	}
	t.w.m.Files++
	t.new++
	if h.Size > inMemory {
		after, err := f.Stat()
		if err != nil {
			return false, err
		}
		steady = !short && same(before, after)
	}
	return steady, nil
}

func same(a, b fs.FileInfo) bool { return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) }

// attributes reads the extended attributes of an opened file.
func attributes(f *os.File, h *tar.Header) error {
	names, err := xattr.FList(f)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the attributes of %s: %w", shorten(h.Name), err)
	}
	for _, n := range names {
		if !strings.HasPrefix(n, attrPrefix) || strings.ContainsAny(n, "=\x00") {
			continue
		}
		v, err := xattr.FGet(f, n)
		if errors.Is(err, xattr.ENOATTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the attributes of %s: %w", shorten(h.Name), err)
		}
		h.PAXRecords[paxAttr+n] = string(v)
	}
	return nil
}

// owner is who owns something on disk.
func owner(st fs.FileInfo) (uid, gid int) {
	if s, ok := st.Sys().(*syscallStat); ok {
		return int(s.Uid), int(s.Gid)
	}
	return 0, 0
}

func inode(st fs.FileInfo) uint64 {
	if s, ok := st.Sys().(*syscallStat); ok {
		return s.Ino
	}
	return 0
}

// special are the bits of a folder beside its permissions.
func special(m fs.FileMode) (bits int64) {
	if m&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

// goMode is such bits as Go has them.
func goMode(bits int64) fs.FileMode {
	m := fs.FileMode(bits).Perm()
	if bits&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if bits&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}

// stamp is the time that a restored thing gets; what was accessed when is not kept.
func stamp(t time.Time) (atime, mtime time.Time) { return t, t }
