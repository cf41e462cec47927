package sqldb_test

import (
	"path/filepath"
	"strings"
	"testing"

	"trivium/internal/sqldb"
)

func TestEngine(t *testing.T) {
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a.db"), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if engine, err := db.Engine(t.Context()); err != nil || !strings.HasPrefix(engine, "SQLite 3.") {
		t.Errorf("%q, %v", engine, err)
	}
}
