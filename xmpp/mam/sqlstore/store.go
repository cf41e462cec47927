package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the tables of this package to their newest form.
func Migrate(ctx context.Context, db *sqldb.DB) error {
	return db.Migrate(ctx, "mam", migrations)
}

// Bounds of what is kept in memory. The queue is what waits for the disk; a writer that finds it
// full blocks. The tail is the part of the log that has no index yet.
const (
	queueCount = 8192
	queueBytes = 16 << 20
	foldAt     = 16384
	tailCount  = 4 * foldAt
	ownersKept = 1 << 16
)

// Options are what Open takes.
type Options struct {
	Node uint8 // of this process among several on one database
	Log  *slog.Logger
	Now  func() time.Time // nil: time.Now

	foldAt int // for tests
}

// Store is a mam.Store over sqldb. It must be closed.
type Store struct {
	db   *sqldb.DB
	log  *slog.Logger
	now  func() time.Time
	node mam.ID
	opts Options
	key  []byte

	insertMessages, insertRuns, fetches, fetchesBack map[int]string // by number of rows

	wake    chan struct{} // something waits to be written
	foldNow chan struct{} // the tail is long
	done    sync.WaitGroup
	stop    context.CancelFunc // ends what runs behind
	folding sync.Mutex         // one fold at a time; taken before mu
	sweepAt int64              // the owner that Expire has come to; guarded by folding

	mu      sync.Mutex // guards what follows; nothing that blocks is done with it
	closed  bool
	last    mam.ID // the newest that was given
	durable mam.ID // up to here all is on disk or has failed
	mark    mam.ID // up to here the index tells, beyond it the tail
	floor   mam.ID // up to here nothing is shown any more
	queue   []*entry
	flight  []*entry // being written
	waiting int      // bytes of both
	changed chan struct{}
	tail    map[int64]*tail
	length  int // messages in the tail
	keys    map[sentKey]mam.ID
	owners  map[identity.UserID]owner
	old     map[int64][]sent // the last keys of the index, for those who write now
	oldKept int              // keys in old
	folds   int              // how often old may have become wrong
}

var _ mam.Store = (*Store)(nil)

// owner is a row of mam_owners.
type owner struct {
	n     int64
	floor mam.ID
}

// entry is a message on its way to the disk.
type entry struct {
	id   mam.ID
	head head
	data []byte
	done []func(error)
}

// Open returns a store on a database that has been migrated, and reads the end of the log.
func Open(ctx context.Context, db *sqldb.DB, o Options) (*Store, error) {
	s := &Store{
		db: db, log: o.Log, now: o.Now, node: mam.ID(o.Node), opts: o,
		wake: make(chan struct{}, 1), foldNow: make(chan struct{}, 1), changed: make(chan struct{}),
		tail: make(map[int64]*tail), keys: make(map[sentKey]mam.ID),
		owners: make(map[identity.UserID]owner), old: make(map[int64][]sent),
		insertMessages: statements("INSERT INTO mam_messages (id, data) VALUES ", 2, ""),
		insertRuns: statements("INSERT INTO mam_index (owner, kind, first, last, ids) VALUES ", 5,
			" ON CONFLICT (owner, kind, first) DO UPDATE SET last = excluded.last, ids = excluded.ids"),
		fetches: make(map[int]string), fetchesBack: make(map[int]string),
	}
	for _, n := range fetchSizes {
		query := values("SELECT id, data FROM mam_messages WHERE id IN ", n, 1)
		s.fetches[n], s.fetchesBack[n] = query+" ORDER BY id", query+" ORDER BY id DESC"
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.opts.foldAt == 0 {
		s.opts.foldAt = foldAt
	}
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("opening the message archive: %w", err)
	}
	behind, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(s.write)
	s.done.Go(func() { s.foldBehind(behind) })
	return s, nil
}

// Close writes what is queued, and stops. The tail stays for the next start.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.poke()
	s.stop()
	s.done.Wait()
}

func (s *Store) load(ctx context.Context) error {
	for _, v := range []struct {
		name string
		to   *mam.ID
	}{{"mark", &s.mark}, {"floor", &s.floor}} {
		b, err := s.state(ctx, v.name)
		if err != nil {
			return err
		}
		if len(b) == 8 {
			*v.to = mam.ID(binary.BigEndian.Uint64(b))
		}
	}
	var err error
	if s.key, err = s.makeKey(ctx); err != nil {
		return err
	}
	rows, err := s.db.QueryContext(ctx, "SELECT id, substr(data, 1, 41) FROM mam_messages WHERE id > $1 ORDER BY id", int64(s.mark))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	s.last = max(s.mark, s.floor)
	for rows.Next() {
		var id int64
		var data []byte
		if err := rows.Scan(&id, &data); err != nil {
			return err
		}
		h, _, err := parseHead(data)
		if err != nil {
			return err
		}
		s.last = max(s.last, mam.ID(id))
		s.note(mam.ID(id), h)
	}
	s.durable = s.last
	if s.length >= s.opts.foldAt {
		s.foldNow <- struct{}{}
	}
	return rows.Err()
}

// state reads a row of mam_state, nil where there is none.
func (s *Store) state(ctx context.Context, name string) ([]byte, error) {
	var b []byte
	err := s.db.QueryRowContext(ctx, "SELECT value FROM mam_state WHERE name = $1", name).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return b, err
}

const putState = "INSERT INTO mam_state (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

func number(id mam.ID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

func (s *Store) makeKey(ctx context.Context) ([]byte, error) {
	key, err := s.state(ctx, "key")
	if err != nil || key != nil {
		return key, err
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, putState, "key", key)
		return err
	})
	return key, err
}

// Key is a secret of 32 bytes, the same for the life of the archive.
func (s *Store) Key(context.Context) ([]byte, error) { return s.key, nil }
