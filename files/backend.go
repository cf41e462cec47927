package files

import (
	"context"
	"io"
	"io/fs"
	"os"
	"time"
)

// Attr is what a file says of its ownership where it deviates from its mount's default; a nil
// field means the default.
type Attr struct {
	UID, GID *uint32
	Mode     *fs.FileMode // permission, setgid and sticky bits
	// Created is the time of creation that somebody has set; no system lets that of its own be set.
	Created *time.Time
}

// IsZero reports whether nothing deviates.
func (a Attr) IsZero() bool {
	return a.UID == nil && a.GID == nil && a.Mode == nil && a.Created == nil
}

// Node is what a backend says of an entry.
type Node struct {
	Name    string
	Type    fs.FileMode // type bits: 0, fs.ModeDir, fs.ModeSymlink; anything else is neither shown nor touched
	Size    int64
	ModTime time.Time
	Changed time.Time // last change of content or attributes, which nobody can set (ctime); zero: unknown
	Created time.Time // zero: the store does not say
	Attr    Attr
	Links   int
	Unique  string
}

// Features is what a backend can keep.
type Features struct {
	Attrs bool // owner, group and mode of single entries
	// Owners says that the store keeps owner, group and mode of every entry, as those of the system:
	// an Attr of it, and one given to it, holds all three. Attr of a top that nobody has been given
	// yet, and of links, is empty.
	Owners bool
	Links  bool   // symbolic links
	Why    string // why something is missing, for doctor; "" when nothing is
}

// Backend is what Tree needs of a store. A tree is named by a key of clean segments, one of
// "DOMAIN/home/LOGIN", "DOMAIN/groups/NAME" and "DOMAIN/pub"; the store of a Mount holds its tree
// alone, "mounts/PATH". The mode given beside an Attr is the whole mode, default or not, for a store
// that shows modes to others. A backend that has garbage of its own has a method
// Sweep(ctx) (removed int, err error) too, which Service.Sweep calls. backendtest holds the contract
// as a test.
type Backend interface {
	Features() Features
	// Tree opens the top of a tree; where there is none it is made, or fs.ErrNotExist.
	Tree(ctx context.Context, key string, create bool) (Top, error)
	// Keys calls fn with the key of each tree that exists.
	Keys(ctx context.Context, fn func(key string) error) error
}

// Dir is an opened folder: what is asked of it by name happens in this very folder, whatever
// becomes of its path meanwhile. A name is one segment, checked by the caller; no link is ever
// followed. Errors are fs.ErrNotExist, fs.ErrExist, ErrIsDir, ErrNotDir, ErrNotEmpty, ErrNoSpace,
// ErrUnsupported or the store's own.
type Dir interface {
	Stat(ctx context.Context) (Node, error)
	Dir(ctx context.Context, name string) (Dir, error) // ErrNotDir for anything else, links too
	Lstat(ctx context.Context, name string) (Node, error)
	Readlink(ctx context.Context, name string) (string, error) // fs.ErrNotExist where no link stands
	// ReadDir calls fn with each entry, sorted by the bytes of the names, while it reads them. What
	// vanishes meanwhile is left out.
	ReadDir(ctx context.Context, fn func(Node) error) error
	// ReadNames is ReadDir of names and types (as in Node.Type) alone.
	ReadNames(ctx context.Context, fn func(name string, typ fs.FileMode) error) error
	Open(ctx context.Context, name string) (Object, error)      // a file alone: ErrIsDir, or ErrUnsupported
	OpenWrite(ctx context.Context, name string) (Writer, error) // a finished file, to append in place
	Mkdir(ctx context.Context, name string, mode fs.FileMode, a Attr) error
	Symlink(ctx context.Context, target, name string) error
	Remove(ctx context.Context, name string) error    // not a folder: ErrIsDir
	RemoveDir(ctx context.Context, name string) error // an empty folder
	// Rename moves name to another folder of the same backend, over a file that stands there unless
	// exclusive. A folder never replaces anything.
	Rename(ctx context.Context, name string, to Dir, newname string, exclusive bool) error
	// Link gives a file a second name in another folder of the same tree, where nothing stands
	// (fs.ErrExist): what replaces or removes the first name leaves the second as it is. A store that
	// has no such thing copies, or answers ErrUnsupported.
	Link(ctx context.Context, name string, to Dir, newname string) error
	// SetAttr replaces all of the entry's attributes; name "." is the folder itself. Of a link:
	// ErrUnsupported.
	SetAttr(ctx context.Context, name string, mode fs.FileMode, a Attr) error
	Chtimes(ctx context.Context, name string, mtime time.Time) error
	// Props returns what SetProps has kept with a file or folder, nil where there is nothing; "." is
	// the folder itself. ErrUnsupported of a link, and where the store keeps none. Props move with
	// Rename; what replaces a file brings its own.
	Props(ctx context.Context, name string) ([]byte, error)
	// SetProps keeps bytes that mean nothing to the store, at most MaxProps (else ErrQuota); nil
	// removes them.
	SetProps(ctx context.Context, name string, data []byte) error
	Sync(ctx context.Context) error // makes the names in it durable
	Close() error
}

// MaxProps is how many bytes of properties one entry has at most.
const MaxProps = 2 << 10

// Top is the top folder of a tree. It keeps the tree's parts out of sight of Dir: its own
// reserved names are neither listed nor found there, and making them is ErrName.
type Top interface {
	Dir
	// Reserved reports whether the name, directly in this folder, is the store's own.
	Reserved(name string) bool
	// Part opens the part of that key (hexadecimal) at its end; where there is none it is made, or
	// fs.ErrNotExist.
	Part(ctx context.Context, key string, create bool) (Part, error)
	StatPart(ctx context.Context, key string) (Node, error)
	RemovePart(ctx context.Context, key string) error
	// Parts calls fn with each part; Node.Name is its key.
	Parts(ctx context.Context, fn func(Node) error) error
	// Kept opens one of the store's own folders in the tree, for what is kept out of sight: no path
	// leads there, and only this lists it. Where there is none it is made, or fs.ErrNotExist. A kind
	// that is none of Kinds is ErrName.
	Kept(ctx context.Context, kind string, create bool) (Dir, error)
	// Free is how many bytes the storage behind the tree has left; ErrUnsupported where it has no end
	// that it knows of.
	Free(ctx context.Context) (int64, error)
}

// The kinds of Top.Kept: what was removed, and what was overwritten.
const (
	KeptTrash    = "trash"
	KeptVersions = "versions"
)

// Kinds lists the kinds of Top.Kept. What lies in any of them counts for the quota.
func Kinds() []string { return []string{KeptTrash, KeptVersions} }

// Object is an opened file.
type Object interface {
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Closer
	Node() Node // when it was opened
	// OS returns the file of the operating system behind it, if there is one: the way to sendfile(2).
	OS() (*os.File, bool)
}

// Writer is a file opened for writing at its end.
type Writer interface {
	io.Writer
	io.ReaderFrom // must hand a *net.TCPConn, also inside an io.LimitedReader, to splice(2) where there is one
	io.Closer
	Node() Node // when it was opened
	Size() (int64, error)
	Truncate(size int64) error // and goes to its end
	Sync() error
}

// Flusher is a Writer that keeps what it was given elsewhere until the store takes it: after Flush it
// can be read, and is lost by no end of this process.
type Flusher interface{ Flush() error }

// Part is a Writer that becomes a file.
type Part interface {
	Writer
	// Commit gives the part its name, over a file that stands there unless exclusive. The part is
	// closed when that succeeds.
	Commit(ctx context.Context, to Dir, name string, mode fs.FileMode, a Attr, exclusive bool) error
}
