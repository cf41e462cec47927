package sqltest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"trivium/internal/sqldb"
)

// Migrate makes the tables of one package's store.
type Migrate = func(context.Context, *sqldb.DB) error

// lite holds the migrated SQLite files of this binary, by the names of what migrated them: under the race
// detector migrating takes longer than most tests that need a store.
var lite = struct {
	sync.Mutex
	files map[string][]byte
}{files: map[string][]byte{}}

// liteTemplate is an SQLite file that migrate has been run on, once for all tests.
func liteTemplate(t testing.TB, migrate []Migrate) []byte {
	t.Helper()
	lite.Lock()
	defer lite.Unlock()
	by := names(migrate)
	if file := lite.files[by]; file != nil {
		return file
	}
	path := filepath.Join(t.TempDir(), "template.db")
	migrateAll(t, "sqlite:"+path, migrate)
	file, err := os.ReadFile(path) // closing has folded the log into it
	if err != nil {
		t.Fatalf("reading a migrated store: %v", err)
	}
	lite.files[by] = file
	return file
}

// migrateAll runs each of migrate on the store of url, and closes it.
func migrateAll(t testing.TB, url string, migrate []Migrate) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err == nil {
		for _, m := range migrate {
			err = errors.Join(err, m(t.Context(), db))
		}
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatalf("migrating the test store: %v", err)
	}
}

// names tells what migrates apart from anything else that does.
func names(migrate []Migrate) string {
	by := make([]string, len(migrate))
	for i, m := range migrate {
		by[i] = runtime.FuncForPC(reflect.ValueOf(m).Pointer()).Name()
	}
	return strings.Join(by, " ")
}
