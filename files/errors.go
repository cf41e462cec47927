package files

import (
	"errors"
	"io/fs"
)

// What a Tree answers, beside fs.ErrNotExist (absent, and hidden by level: the two cannot be told
// apart), fs.ErrPermission, fs.ErrExist and identity.ErrEnded. They come wrapped in a *fs.PathError
// with the path as the client sees it.
var (
	ErrQuota       = errors.New("the quota is used up: delete something, or ask for more space")
	ErrNoSpace     = errors.New("the server's disk is full: try later, and tell the administrator")
	ErrName        = errors.New("the name is not allowed: it is reserved, too long, not UTF-8, or holds a control character that names cannot have")
	ErrIsDir       = errors.New("it is a folder")
	ErrNotDir      = errors.New("it is not a folder")
	ErrNotEmpty    = errors.New("the folder is not empty")
	ErrOffset      = errors.New("the upload cannot go on there: ask for the size and begin at it")
	ErrBusy        = errors.New("somebody is writing it: try again when that is done")
	ErrUnsupported = errors.New("the storage cannot do this")
	ErrLocked      = errors.New("it is locked: somebody works on it, and the lock ends with that or within an hour")
	ErrNoLock      = errors.New("there is no such lock: it has ended, or is another's")
	ErrLocks       = errors.New("too many locks are held: give some back, or wait until they end")
)

// Errors lists every error that a road must have an answer for.
func Errors() []error {
	return []error{fs.ErrNotExist, fs.ErrPermission, fs.ErrExist, ErrQuota, ErrNoSpace, ErrName,
		ErrIsDir, ErrNotDir, ErrNotEmpty, ErrOffset, ErrBusy, ErrUnsupported, ErrLocked, ErrNoLock, ErrLocks}
}
