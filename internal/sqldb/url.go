package sqldb

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Dialect names the database engine behind a [DB].
type Dialect string

// The engines. A module's migrations lie in a folder of the same name.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// busyTimeout is how long a connection waits for a lock of another process (a backup tool, the
// CLI of an older version). Within this process the single writer makes waiting unnecessary.
const busyTimeout = 5 * time.Second

// engineFor is the engine of a database URL; the file of SQLite is made where there is none.
func engineFor(raw string, log *slog.Logger) (engine, error) {
	if scheme, _, ok := strings.Cut(raw, ":"); ok && (scheme == "postgres" || scheme == "postgresql") {
		return newPG(raw, log)
	}
	path, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	return lite{path}, touch(path)
}

// parseURL answers the absolute path of the SQLite file that a database URL names.
func parseURL(raw string) (string, error) {
	scheme, rest, ok := strings.Cut(raw, ":")
	switch {
	case raw == "":
		return "", errors.New(`the database URL is empty: set database.url to sqlite:/path/to/trivium.db`)
	case !ok || scheme != "sqlite":
		// Nothing of the URL is repeated here: it may hold a password.
		return "", errors.New(`the database URL is of no known kind: set database.url to sqlite:/path/to/trivium.db or postgres://role@host/database`)
	}
	rest = strings.TrimPrefix(rest, "//")
	switch {
	case rest == "":
		return "", errors.New("the database URL names no file: write sqlite:/path/to/trivium.db")
	case rest == ":memory:":
		return "", errors.New("the database URL asks for a database in memory, which would forget every account at stop: write sqlite:/path/to/trivium.db")
	case strings.ContainsAny(rest, "?\x00"):
		return "", errors.New("the database URL has parameters (a ? in it), and SQLite takes none here: write sqlite:/path/to/trivium.db")
	}
	path, err := filepath.Abs(rest)
	if err != nil {
		return "", fmt.Errorf("finding the database file %s: %w", rest, err)
	}
	return path, nil
}

// dsn is the driver's form of path. The path is percent-encoded, as SQLite decodes URI names.
func dsn(path string, write bool) string {
	q := url.Values{
		"_time_format": {"sqlite"},
		"_timezone":    {"UTC"},
		"_pragma": {
			"busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")",
			"foreign_keys(1)",
		},
	}
	if write {
		// WAL lets readers go on while the writer commits; FULL makes a commit survive a power
		// failure, not only a crash of this process.
		q["_pragma"] = append(q["_pragma"], "journal_mode(WAL)", "synchronous(FULL)", "journal_size_limit(67108864)",
			"temp_store(MEMORY)") // what a savepoint may have to restore; else it goes into a file from 64 kB on
		q.Set("_txlock", "immediate")
	} else {
		q["_pragma"] = append(q["_pragma"], "query_only(1)")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// touch makes the database file with mode 0600 where it does not exist, since SQLite itself would
// make it readable by others; the -wal and -shm files copy its mode.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &fault{fmt.Sprintf("cannot make the database %s: its folder does not exist. Create the folder, or set database.url", path), err}
	case errors.Is(err, fs.ErrPermission):
		return &fault{fmt.Sprintf("cannot write to the database %s: permission denied. Run as its owner, or set database.url", path), err}
	case err != nil:
		return fmt.Errorf("cannot open the database %s: %w", path, err)
	}
	return f.Close()
}
