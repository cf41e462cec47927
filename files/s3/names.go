package s3

import (
	"context"
	"io/fs"
	"time"

	"trivium/files"
)

// Entry is a row of the namespace: a folder, a file or a link.
type Entry struct {
	ID     int64 // never given twice
	Parent int64 // 0: the top of a tree, whose name is its key
	Name   string
	Type   fs.FileMode // type bits: 0, fs.ModeDir, fs.ModeSymlink

	Size     int64
	Modified time.Time
	Changed  time.Time
	Created  time.Time
	Attr     files.Attr
	Props    []byte
	Target   string // of a link
}

// Chunk is a piece of a file: Size bytes from At are the first bytes of an object.
type Chunk struct {
	At, Size int64
	Object   string
}

// Names is the namespace: what Store needs of a database. Each method is one transaction, durable
// when it returns. Names of entries are sorted by their bytes. An entry or parent that is not there
// is fs.ErrNotExist.
type Names interface {
	// Top returns the top of a tree; where there is none it is made, or fs.ErrNotExist.
	Top(ctx context.Context, key string, create bool) (Entry, error)
	// Tops calls fn with each key.
	Tops(ctx context.Context, fn func(key string) error) error
	Entry(ctx context.Context, id int64) (Entry, error)
	Lookup(ctx context.Context, parent int64, name string) (Entry, error)
	// List returns the entries of a folder whose names come after one.
	List(ctx context.Context, parent int64, after string, limit int) ([]Entry, error)
	// Add makes an entry of e's Parent, Name, Type, Attr and Target; fs.ErrExist.
	Add(ctx context.Context, e Entry) (Entry, error)
	// Remove takes an entry away: a folder (empty, else files.ErrNotEmpty) if dir, else anything but one.
	// files.ErrIsDir and files.ErrNotDir where it is the other.
	Remove(ctx context.Context, parent int64, name string, dir bool) error
	// Move gives an entry another folder and name. A file or link takes the place of another unless
	// exclusive (fs.ErrExist), of a folder never (files.ErrIsDir); a folder replaces nothing
	// (fs.ErrExist) and does not go into itself (files.ErrUnsupported). With a, the entry's attributes
	// are replaced.
	Move(ctx context.Context, parent int64, name string, to int64, newname string, exclusive bool, a *files.Attr) error
	// Copy gives a file a second entry with the same chunks; fs.ErrExist. Of a folder files.ErrIsDir, of
	// a link files.ErrUnsupported.
	Copy(ctx context.Context, parent int64, name string, to int64, newname string) error
	SetAttr(ctx context.Context, id int64, a files.Attr) error
	SetModified(ctx context.Context, id int64, t time.Time) error
	SetProps(ctx context.Context, id int64, data []byte) error

	Chunks(ctx context.Context, id int64) ([]Chunk, error)
	// Intend notes that an object is about to be written: until it is part of a file it is garbage.
	Intend(ctx context.Context, object string) error
	// Put makes the chunk the last of the file, in the place of what was from c.At on; fs.ErrNotExist
	// also where the object has been taken for garbage meanwhile.
	Put(ctx context.Context, id int64, c Chunk) error
	// Cut shortens the file.
	Cut(ctx context.Context, id int64, size int64) error
	// Garbage lists objects that have been part of no file since before.
	Garbage(ctx context.Context, before time.Time, limit int) ([]string, error)
	// Forget is called when garbage has been removed.
	Forget(ctx context.Context, objects ...string) error
}
