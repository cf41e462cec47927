package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

var moduleName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// Migrate brings the tables of one module up to date. fsys holds goose files in a
// folder for each dialect, migrations/sqlite and migrations/postgres, as `//go:embed migrations` beside
// them gives it; what was applied stands in <module>_versions.
// Each file is applied in a transaction of its own, so a file that fails leaves those before it.
// Where the database has a version higher than the highest file, nothing is changed and the error
// is [ErrNewerSchema]. Migrate uses connections of its own; call it before others write. Two processes that
// migrate one PostgreSQL database do so one after the other.
func (db *DB) Migrate(ctx context.Context, module string, fsys fs.FS) (err error) {
	if !moduleName.MatchString(module) {
		return fmt.Errorf("migrating: %q is no module name", module)
	}
	files, err := fs.Sub(fsys, path.Join("migrations", string(db.Dialect())))
	if err != nil {
		return fmt.Errorf("migrating %s: %w", module, err)
	}
	if db.newest(ctx, module, files) {
		return nil
	}
	pool, done, err := db.engine.migrator(ctx)
	if err != nil {
		return db.engine.explain(err)
	}
	defer func() {
		if cerr := errors.Join(done(), pool.Close()); cerr != nil && err == nil {
			err = fmt.Errorf("migrating %s: %w", module, cerr)
		}
	}()
	dialect := goose.DialectSQLite3
	if db.Dialect() == Postgres {
		dialect = goose.DialectPostgres
	}
	p, err := goose.NewProvider(dialect, pool, files,
		goose.WithTableName(module+"_versions"),
		goose.WithDisableGlobalRegistry(true), // no state shared with other modules and tests
		goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrating %s: reading the migrations for %s: %w", module, db.Dialect(), err)
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrating %s: reading its version: %w", module, err)
	}
	if has > knows {
		return fmt.Errorf("%w: %s in %s has version %d, and this program knows it up to %d. Start the newer program that wrote it, or restore the backup made before the upgrade",
			ErrNewerSchema, module, db.Place(), has, knows)
	}
	results, err := p.Up(ctx)
	if n := len(results); n > 0 {
		level := slog.LevelInfo
		if has == 0 { // a fresh store is no news
			level = slog.LevelDebug
		}
		db.log.Log(ctx, level, "database migrated", "module", module, "from", has, "to", results[n-1].Source.Version)
	}
	if err != nil {
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			err = fmt.Errorf("version %d: %w", partial.Failed.Source.Version, partial.Err)
		}
		return fmt.Errorf("migrating %s from version %d to %d in %s: %w. Earlier versions are kept; restore the last backup if the older program must run again",
			module, has, knows, db.Place(), err)
	}
	return nil
}

// newest reports whether the tables of a module have every file, and nothing else: then the start needs no
// provider, which reads all files, and no connections of its own. Where that cannot be told it is false.
func (db *DB) newest(ctx context.Context, module string, files fs.FS) bool {
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		return false
	}
	want := map[int64]bool{}
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return false
		}
		want[v] = true
	}
	rows, err := db.read.QueryContext(ctx, "SELECT version_id, is_applied FROM "+module+"_versions")
	if err != nil {
		return false // there is no such table yet, or whoever asks next will hear why
	}
	defer func() { _ = rows.Close() }() // it was read alone
	for rows.Next() {
		var version int64
		var applied bool
		if rows.Scan(&version, &applied) != nil || !applied {
			return false
		}
		if version == 0 { // goose's own first row
			continue
		}
		if !want[version] {
			return false // of a newer program, or given twice
		}
		delete(want, version)
	}
	return rows.Err() == nil && len(want) == 0
}
