package sqldb

import (
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// Commits is the number of transactions committed so far.
func (db *DB) Commits() int64 { return db.writer.commits.Load() }

// Queued is the number of calls in the queue.
func (db *DB) Queued() int { return len(db.writer.queue) }

// QueueLen is how many calls the queue holds.
const QueueLen = queueLen

// PostgresConfig is what a URL comes down to.
func PostgresConfig(url string) (*pgx.ConnConfig, error) {
	p, err := newPG(url, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return p.conf, nil
}
