package files

import (
	"context"
	"crypto/rand"
	"strings"
	"time"
)

// TrashMode says whose deletions go into the trash.
type TrashMode string

// The modes. TrashWeb means the pages alone, not WebDAV, whose clients keep a trash of their own.
const (
	TrashOff TrashMode = "off"
	TrashWeb TrashMode = "web"
	TrashAll TrashMode = "all"
)

// TrashRow is what a BinStore keeps of one thing that was removed.
type TrashRow struct {
	ID      string
	Tree    string
	Path    string // in the tree, "/a/b"
	Dir     bool
	Bytes   int64 // when it was removed
	Entries int64 // itself included
	At      time.Time
	By      string // as Session.User in JSON; "" for what a sweep has found
}

// VersionRow is what a BinStore keeps of one old version of a file.
type VersionRow struct {
	ID      string
	Tree    string
	Path    string // of the file in the tree; of one that lies in the trash see thrown
	Bytes   int64
	ModTime time.Time // of that content
	At      time.Time // when it was replaced
	By      string    // who replaced it
}

// Move is an entry on its way to another path of its tree: what a crash between that and the moving of
// its versions leaves of both.
type Move struct {
	ID     string
	Tree   string
	From   string // in the tree, or as thrown says it
	To     string
	Unique string // Node.Unique of the entry
}

// BinStore keeps what was the name of bytes that lie out of sight: Top.Kept has them by the rows'
// IDs. files/storetest holds the contract as a test. Times are kept to the microsecond at least; nil
// means that a change is durable.
type BinStore interface {
	PutTrash(ctx context.Context, r TrashRow) error
	// Trash returns one row, or fs.ErrNotExist.
	Trash(ctx context.Context, id string) (TrashRow, error)
	// TrashOf returns the newest rows of a tree, at most limit.
	TrashOf(ctx context.Context, tree string, limit int) ([]TrashRow, error)
	// OldTrash returns the oldest rows of a tree, or of all trees for "", from before a time.
	OldTrash(ctx context.Context, tree string, before time.Time, limit int) ([]TrashRow, error)
	// TrashAfter returns the rows of a tree whose IDs come after one, in their order.
	TrashAfter(ctx context.Context, tree, id string, limit int) ([]TrashRow, error)
	DropTrash(ctx context.Context, ids ...string) error

	// Held is what the rows of a tree say that lies in its trash and is kept of versions.
	Held(ctx context.Context, tree string) (bytes, entries int64, err error)

	PutVersion(ctx context.Context, r VersionRow) error
	// Version returns one row, or fs.ErrNotExist.
	Version(ctx context.Context, id string) (VersionRow, error)
	// VersionsOf returns the versions of one path, the newest first.
	VersionsOf(ctx context.Context, tree, path string) ([]VersionRow, error)
	// VersionsBelow returns at most limit versions of a path and of what is below it.
	VersionsBelow(ctx context.Context, tree, path string, limit int) ([]VersionRow, error)
	// OldVersions returns the oldest versions of a tree, or of all trees for "".
	OldVersions(ctx context.Context, tree string, limit int) ([]VersionRow, error)
	// VersionsAfter returns the versions of a tree whose IDs come after one, in their order.
	VersionsAfter(ctx context.Context, tree, id string, limit int) ([]VersionRow, error)
	// PlanMove notes, before an entry goes to another path, which versions are to follow it: those of
	// its path and of what is below it, as there are at that moment.
	PlanMove(ctx context.Context, m Move) error
	// EndMove forgets the plan in one step with its versions having their new paths, or, where the
	// entry has not moved, without.
	EndMove(ctx context.Context, m Move, moved bool) error
	// Moves returns the plans of a tree that have not ended, at most 500.
	Moves(ctx context.Context, tree string) ([]Move, error)
	DropVersions(ctx context.Context, ids ...string) error
}

const (
	// trashLife is how long what was removed can be restored.
	trashLife = 30 * 24 * time.Hour
	// trashShown bounds a list of one tree's trash.
	trashShown = 10_000
	// binPage is how many rows are read at a time.
	binPage = 500
)

// newBinID names what is kept: 26 signs of base32, lower case.
func newBinID() string { return strings.ToLower(rand.Text()) }

// binID reports whether a name is one of newBinID's, and not that of something on its way out.
func binID(name string) bool {
	return len(name) == 26 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// doomed is the name of what is being removed for ever; a crash leaves it to the next sweep.
const doomed = "-x"

// thrown is the path under which the versions of what lies in the trash wait for it: no path of a
// tree begins so.
func thrown(id string) string { return "trash:" + id }

func binLock(id string) string { return "bin:" + id }
