package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"trivium/config"
	"trivium/internal/control"
	"trivium/internal/sqldb"
)

// Errors of MoveStore.
var (
	ErrNotEmpty  = sqldb.ErrNotEmpty
	ErrNotSQLite = errors.New("the store is no SQLite file")
)

// MovedStore is what MoveStore has done.
type MovedStore struct {
	sqldb.Moved
	From, To string // the file, and the database in words
}

// MoveStore moves the store of cfg, an SQLite file, into the empty PostgreSQL database of a URL. It works
// while no server runs; else ErrRunning. Where the target holds anything it is ErrNotEmpty. The file stays
// as it is. A move that broke off has left empty tables at most, and may be begun again.
func MoveStore(ctx context.Context, cfg *config.Config, to string, progress func(table string, rows, total int64)) (m MovedStore, err error) {
	if !strings.HasPrefix(cfg.DatabaseURL(), "sqlite:") {
		return m, ErrNotSQLite
	}
	if err := control.Dir(cfg.DataDir); err != nil {
		return m, err
	}
	release, err := control.Lock(cfg.DataDir)
	if errors.Is(err, control.ErrLocked) {
		return m, ErrRunning
	}
	if err != nil {
		return m, err
	}
	defer release()
	log := slog.New(slog.DiscardHandler)
	from, err := openStore(ctx, cfg, log)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	target, err := sqldb.Open(ctx, to, log)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	m.From, m.To = from.Place(), target.Place()
	if err := target.Alone(ctx); err != nil {
		return m, err
	}
	ours, err := from.Tables(ctx)
	if err != nil {
		return m, err
	}
	foreign, err := target.Foreign(ctx, ours)
	if err != nil {
		return m, err
	}
	if len(foreign) > 0 {
		return m, fmt.Errorf("%w: it has tables of something else: %s", ErrNotEmpty, strings.Join(foreign[:min(len(foreign), 5)], ", "))
	}
	if err := migrateStore(ctx, target); err != nil {
		return m, err
	}
	m.Moved, err = from.MoveTo(ctx, target, seeded, progress)
	return m, err
}
