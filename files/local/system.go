package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"trivium/files"
)

// Options says how a store keeps what is in it.
type Options struct {
	// System lets the inodes say who owns what, and really gives files away; without it that is kept
	// in an attribute beside them. The process must be root.
	System bool
	// ReadOnly lets nothing be written when the store is opened. Of OpenTree alone.
	ReadOnly bool
}

// errNotRoot is the fault of a store that cannot give files away.
var errNotRoot = errors.New(`files.ownership = "system" gives files to the users of the system, which only root may: start the server as root, or set it to "virtual"`)

// Modes of what the store makes for itself where others than the server's account have files in it:
// they may pass through. The top of a tree has no bits until package files says whose it is.
const (
	systemDir fs.FileMode = 0o711
	unclaimed fs.FileMode = 0
)

// inodeOwner is what an inode says.
type inodeOwner struct {
	uid, gid uint32
	mode     fs.FileMode
}

// node is the node of a stat, with the inode's owner where that counts. A link has none.
func (s *Store) node(name string, st stat) files.Node {
	n := node(name, st)
	if s.system && (n.Type == 0 || n.Type == fs.ModeDir) {
		o := &inodeOwner{uid: st.uid, gid: st.gid, mode: fromOctal(st.mode)}
		n.Attr = files.Attr{UID: &o.uid, GID: &o.gid, Mode: &o.mode}
	}
	return n
}

// claimed reports whether somebody has been given the top of a tree.
func claimed(st stat) bool { return st.uid != 0 || st.mode&0o7777 != uint32(unclaimed) }

// give gives an opened file an owner and a mode. The owner comes first, for a change of it takes the
// setgid bit.
func (s *Store) give(f opened, mode fs.FileMode, a files.Attr) error {
	defer runtime.KeepAlive(f)
	id := func(p *uint32) int {
		if p == nil {
			return -1 // as it is
		}
		return int(*p)
	}
	if err := again(func() error { return unix.Fchown(int(f.Fd()), id(a.UID), id(a.GID)) }); err != nil {
		return err
	}
	if a.Mode != nil {
		mode = *a.Mode
	}
	return again(func() error { return unix.Fchmod(int(f.Fd()), octal(mode)) })
}

// newPrefix begins the names of folders that have no owner yet.
const newPrefix = reserved + "-new-"

// mkdirOwned makes a folder where nobody but the server can come near, gives it its owner, and then
// its name: somebody with a shell could else put another folder in its place, and be given that.
func (d *dir) mkdirOwned(name string, mode fs.FileMode, a files.Attr) error {
	if !single(name) {
		return files.ErrName
	}
	at, err := d.s.private()
	if err != nil {
		return err
	}
	defer at.Close()
	tmp := newPrefix + rand.Text()
	if err := mkdirat(at, tmp, uint32(partsDir)); err != nil {
		return err
	}
	f, err := openat(at, tmp, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err == nil {
		err = d.s.give(f, mode, a)
		_ = f.Close()
	}
	if err == nil {
		err = renameat(at, tmp, d.f, name, true)
	}
	if err != nil {
		return errors.Join(err, unlinkat(at, tmp, unix.AT_REMOVEDIR))
	}
	return nil
}

// private opens a folder of the store that is the server's alone.
func (s *Store) private() (opened, error) {
	top := &tree{dir: &dir{s: s, f: s.top, top: true}}
	if s.only == "" {
		return openat(s.top, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	}
	return top.own(partsName, true)
}

// sweepNew removes the folders that a crash left without an owner.
func (s *Store) sweepNew(at opened) error {
	return s.eachName(context.Background(), at, func(name string, _ fs.FileMode) error {
		if strings.HasPrefix(name, newPrefix) {
			return unlinkat(at, name, unix.AT_REMOVEDIR)
		}
		return nil
	})
}

// errNotOurs is the answer where somebody has put a folder of theirs in the place of the store's.
var errNotOurs = fmt.Errorf("the folder %s of the tree is not the server's own any more: %w", reserved, fs.ErrPermission)

// ours reports whether an opened folder of the store is the server's alone. In a tree whose top is
// somebody's, that somebody can put another one in its place.
func (s *Store) ours(f opened) error {
	if !s.system {
		return nil
	}
	st, err := fstat(f)
	if err != nil {
		return err
	}
	if st.uid != 0 || st.mode&0o077 != 0 {
		return errNotOurs
	}
	return nil
}

// SetAttrOf is SetAttr of an entry that was looked at before, and no other: fs.ErrNotExist where
// something else stands by its name now.
func (d *dir) SetAttrOf(_ context.Context, n files.Node, name string, mode fs.FileMode, a files.Attr) error {
	if d.hides(name) {
		return fs.ErrNotExist
	}
	if !d.s.features.Attrs {
		return files.ErrUnsupported
	}
	return d.setAttr(name, n.Unique, mode, a)
}
