package sqldb

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrClosed is what Write answers after Close.
	ErrClosed = errors.New("the database is closed")
	// ErrNewerSchema means that a newer program wrote the database. It is found with errors.Is in
	// what Migrate answers.
	ErrNewerSchema = errors.New("the database is newer than this program")
	// ErrTxDone is what a Tx answers that was used after its function had returned.
	ErrTxDone = errors.New("the transaction was used after its function had returned")
	// ErrTxControl is what a Tx answers to BEGIN, COMMIT, SAVEPOINT and their like: the
	// transaction belongs to all callers in it.
	ErrTxControl = errors.New("a transaction cannot be controlled from inside")
	// ErrGone is found in errors of a database server that cannot be reached, or not now. The store
	// looks for it again by itself with the next query or write.
	ErrGone = errors.New("the database cannot be reached")
	// ErrInUse means that another process has taken the database for itself, see [DB.Alone].
	ErrInUse = errors.New("the database is in use by another process")
)

// PanicError is a panic of a function given to Write.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // where, as runtime/debug.Stack gives it
}

// Error says that it was a panic and with which value; the stack is for the log.
func (e *PanicError) Error() string { return fmt.Sprintf("panic in a database write: %v", e.Value) }

// Unwrap answers the value where it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// fault is an error whose text says all of its cause that a person needs.
type fault struct {
	text  string
	cause error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.cause }

// code is SQLite's extended result code in err, and 0 where err holds none.
func code(err error) int {
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()
	}
	return 0
}

// IsUnique reports whether err says that a row with the same unique columns, primary key or rowid
// exists.
func IsUnique(err error) bool {
	if pgCode(err) == pgUnique {
		return true
	}
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return true
	}
	return false
}

// IsForeign reports whether err says that a foreign key has no row to point to, or that a row
// which others point to was to go.
func IsForeign(err error) bool {
	return code(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY || pgCode(err) == pgForeign
}
