package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"trivium/files"
)

// reserved is the name, at the top of each tree, that belongs to the store.
const reserved = ".trivium"

// Modes of the folders that the store makes for itself. Domains, homes and parts are for the
// server's account alone, and its group may look.
const (
	storeDir = 0o750
	partsDir = 0o700
	partFile = 0o600
)

// Store is a files.Backend on local disk. Its methods are safe for any goroutine.
type Store struct {
	root     *os.Root
	top      *os.File // the same folder
	features files.Features
	only     string // the key of the one tree that the folder is; "": it holds trees
	readOnly bool
	system   bool // inodes say who owns what
	xattrs   bool // the file system keeps extended attributes

	tops    tops         // not of a store of the system, or of one tree
	batches sync.Pool    // of *batch
	attrs   sync.Mutex   // held while an attribute is read and then written
	records atomic.Int64 // how often one has been written, from 1 on
}

var _ files.Backend = (*Store)(nil)

// Open opens the store in the folder dir, which is made where it is missing, and finds out what the
// file system can keep.
func Open(dir string) (*Store, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(dir string, o Options) (*Store, error) {
	mode := fs.FileMode(storeDir)
	if o.System {
		mode = systemDir
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, err
	}
	return openStore(dir, &Store{system: o.System})
}

// OpenTree opens a store whose folder dir, which must be there, is one tree itself, of that key: a
// files.Mount. Nothing is written to one that is read only, so its file system may be.
func OpenTree(dir, key string, o Options) (*Store, error) {
	return openStore(dir, &Store{only: key, readOnly: o.ReadOnly, system: o.System})
}

func openStore(dir string, s *Store) (*Store, error) {
	if s.system && os.Geteuid() != 0 {
		return nil, errNotRoot
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s.root, s.features = root, files.Features{Links: true}
	s.records.Store(1)
	if s.top, err = root.Open("."); err != nil {
		_ = root.Close()
		return nil, err
	}
	if err := s.probe(); err != nil {
		_ = s.Close()
		return nil, err
	}
	if s.xattrs = s.features.Attrs; s.system {
		s.features = files.Features{Links: true, Attrs: true, Owners: true}
		if s.only == "" {
			if err := s.sweepNew(s.top); err != nil {
				_ = s.Close()
				return nil, err
			}
		}
	}
	return s, nil
}

// probe writes an attribute to a file made for it, or reads one of the folder, where nothing may be
// written.
func (s *Store) probe() error {
	if s.readOnly {
		_, err := xattr.FGet(s.top, attrName)
		s.features.Attrs = err == nil || errors.Is(err, xattr.ENOATTR)
		if !s.features.Attrs {
			s.features.Why = "the file system keeps no extended attributes, so every file has the owner, group and mode of its folder's default"
		}
		return nil
	}
	name := reserved + "-probe"
	f, err := s.root.OpenFile(name, os.O_CREATE|os.O_RDWR, partFile)
	if err != nil {
		return fmt.Errorf("the folder for files cannot be written to: %w", err)
	}
	defer f.Close()
	defer func() { _ = s.root.Remove(name) }()
	if err := xattr.FSet(f, attrName, []byte("1")); err != nil {
		var why *xattr.Error
		if errors.As(err, &why) {
			err = why.Err // without the name of a file that is gone again
		}
		s.features.Why = "the file system keeps no extended attributes (" + err.Error() +
			"), so every file has the owner, group and mode of its folder's default; mount it with user_xattr, or use another"
		return nil
	}
	s.features.Attrs = true
	return nil
}

// Close closes the store; trees that are open stay so.
func (s *Store) Close() error {
	s.tops.close()
	return errors.Join(s.top.Close(), s.root.Close())
}

// Features implements files.Backend.
func (s *Store) Features() files.Features { return s.features }

// Tree implements files.Backend.
func (s *Store) Tree(_ context.Context, key string, create bool) (files.Top, error) {
	if s.only != "" {
		return s.whole(key)
	}
	if t := s.openTop(key); t != nil {
		return t, nil
	}
	at := &dir{s: s, f: s.top} // it is to be made, or we learn here what is wrong
	names := strings.Split(key, "/")
	for i, name := range names {
		next, err := at.step(name)
		if create && errors.Is(err, fs.ErrNotExist) {
			next, err = at.found(name, i == len(names)-1)
		}
		if i > 0 {
			_ = at.Close()
		}
		if err != nil {
			return nil, err
		}
		at = next
	}
	at.top = true
	return &tree{dir: at}, nil
}

// openTop opens a tree that is there; nil: it is to be looked for step by step.
func (s *Store) openTop(key string) *tree {
	t := &tree{dir: &dir{s: s, name: key[strings.LastIndexByte(key, '/')+1:], top: true}}
	if l, st := s.tops.take(s.top, key); l != nil {
		t.f, t.seen, t.seenAt = l, st, time.Now()
		return t
	}
	f, err := openDeep(s.top, key, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	t.f = f
	if s.system { // others than us have something to say there
		return t
	}
	if st, err := fstat(f); err == nil {
		t.f, t.seen, t.seenAt = s.tops.keep(key, f, st), st, time.Now()
	}
	return t
}

// whole opens the folder as the one tree that it is.
func (s *Store) whole(key string) (files.Top, error) {
	if key != s.only {
		return nil, fs.ErrNotExist
	}
	f, err := openat(s.top, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &tree{dir: &dir{s: s, f: f, top: true}}, nil
}

// found makes a folder of the store, durably, or opens the one that another has just made.
func (d *dir) found(name string, top bool) (*dir, error) {
	var err error
	switch {
	case d.s.system && top:
		err = mkdirat(d.f, name, uint32(unclaimed))
	case d.s.system:
		err = d.mkdirOwned(name, systemDir, files.Attr{}) // whatever the umask of the process
	default:
		err = mkdirat(d.f, name, storeDir)
	}
	if err == nil {
		err = again(d.fsync)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return d.step(name)
}

// Keys implements files.Backend.
func (s *Store) Keys(ctx context.Context, fn func(key string) error) error {
	if s.only != "" {
		return fn(s.only)
	}
	return s.folders(ctx, s.top, func(domain string, d opened) error {
		return s.folders(ctx, d, func(kind string, d opened) error {
			if kind == "pub" {
				return fn(domain + "/pub")
			}
			if kind != "home" && kind != "groups" {
				return nil
			}
			return s.folders(ctx, d, func(name string, _ opened) error { return fn(domain + "/" + kind + "/" + name) })
		})
	})
}

// folders calls fn with each folder in a folder.
func (s *Store) folders(ctx context.Context, at opened, fn func(name string, d opened) error) error {
	return s.eachName(ctx, at, func(name string, _ fs.FileMode) error {
		d, err := openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, files.ErrNotDir) {
			return nil
		}
		if err != nil {
			return err
		}
		defer d.Close()
		return fn(name, d)
	})
}
