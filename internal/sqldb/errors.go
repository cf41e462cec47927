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
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return true
	}
	return false
}

// IsForeign reports whether err says that a foreign key has no row to point to, or that a row
// which others point to was to go.
func IsForeign(err error) bool {
	return code(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

// breaksTx reports whether SQLite may have rolled the whole transaction back along with the
// statement that failed (https://sqlite.org/lang_transaction.html section 3).
func breaksTx(err error) bool {
	switch code(err) & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_BUSY,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY:
		return true
	}
	return false
}

// openError says what a person can do about a database that does not open.
func openError(path string, err error) error {
	switch code(err) & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("the file %s is not an SQLite database. Move it away, or set database_url to another file: %w", path, err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("the database %s is damaged. Restore the last backup, or try the sqlite3 program's .recover: %w", path, err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("the database %s is locked by another program. Stop that program and start again: %w", path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("cannot write to the database %s or beside it in its folder. Run as its owner, or set database_url: %w", path, err)
	}
	return fmt.Errorf("cannot open the database %s: %w", path, err)
}
