package files

import (
	"context"
	"time"
)

// UsageRow is what a UsageStore keeps of one tree.
type UsageRow struct {
	Key   string // of the tree in the Backend
	Bytes int64  // sizes of files, unfinished uploads, trash and versions
	Files int64  // entries, folders and links included
	// Dirty says that the tree may have changed since Bytes and Files were written: they are to be
	// counted again before they are used.
	Dirty     bool
	CountedAt time.Time // when a walk last counted it; zero: never
	SoftSince time.Time // since when it has been beyond its soft limit; zero: it is not
}

// UsageStore keeps the counts of the trees from one start to the next. files/storetest holds the
// contract as a test. Times are kept to the microsecond at least.
type UsageStore interface {
	// Usage returns the row of a tree, or fs.ErrNotExist.
	Usage(ctx context.Context, key string) (UsageRow, error)
	// Usages returns all rows, sorted by the bytes of their keys.
	Usages(ctx context.Context) ([]UsageRow, error)
	// PutUsage writes rows, all or none, over those of the same keys; nil means that they are
	// durable.
	PutUsage(ctx context.Context, rows ...UsageRow) error
	// DropUsage removes rows; keys that have none are no error.
	DropUsage(ctx context.Context, keys ...string) error
}
