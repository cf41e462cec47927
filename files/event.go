package files

import (
	"time"

	"trivium/identity"
)

// Op is what happened to a file.
type Op string

// The operations. OpStore is a finished upload of a new or replaced file.
const (
	OpStore   Op = "store"
	OpAppend  Op = "append"
	OpMkdir   Op = "mkdir"
	OpRemove  Op = "remove"
	OpRmdir   Op = "rmdir"
	OpRename  Op = "rename"
	OpAttr    Op = "attr" // owner, group, mode or time
	OpSymlink Op = "symlink"
	OpRestore Op = "restore" // out of the trash, From says whence; or, without From, an old version
	OpPurge   Op = "purge"   // removed from the trash, for ever
)

// QuotaPassed is the event of a tree that has come to hold more than its soft limit: once, until it
// holds less again.
type QuotaPassed struct {
	At         time.Time `json:"at"`
	Tree       string    `json:"tree"` // its key in the store
	Domain     string    `json:"domain"`
	Path       string    `json:"path"`           // canonical
	User       string    `json:"user,omitempty"` // whose home it is
	Bytes      int64     `json:"bytes"`
	Files      int64     `json:"files"`
	LimitBytes int64     `json:"limit_bytes"` // -1: none, as below
	LimitFiles int64     `json:"limit_files"`
	SoftBytes  int64     `json:"soft_bytes"`
	SoftFiles  int64     `json:"soft_files"`
	GraceEnds  time.Time `json:"grace_ends"` // then uploads are refused
}

// Changed is the event of a change in the tree, sent after it is done.
type Changed struct {
	At       time.Time         `json:"at"`
	Op       Op                `json:"op"`
	Domain   string            `json:"domain"`
	Path     string            `json:"path"`           // canonical
	From     string            `json:"from,omitempty"` // canonical; of a rename
	Size     int64             `json:"size"`           // of the file afterwards; of a removed one before
	Written  int64             `json:"written"`        // bytes that this upload brought
	Who      string            `json:"who"`            // as Session.User in JSON; "" for anonymous
	Session  string            `json:"session"`
	Road     identity.Road     `json:"road"`
	Protocol identity.Protocol `json:"protocol"`
}
