package sqldb_test

import (
	"path/filepath"
	"strings"
	"testing"

	"trivium/internal/sqldb"
)

func TestSize(t *testing.T) {
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a.db"), discard())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	create(t, db)
	engine, bytes, err := db.Size(t.Context())
	if err != nil || bytes < 4096 || !strings.HasPrefix(engine, "SQLite 3.") {
		t.Errorf("%q takes %d bytes, %v", engine, bytes, err)
	}
}
