package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"time"

	"trivium/files"
	"trivium/files/s3"
	"trivium/internal/sqldb"
)

// Objects is the namespace of object storage. Its methods are safe for any goroutine.
type Objects struct{ db *sqldb.DB }

var _ s3.Names = (*Objects)(nil)

// NewObjects returns a namespace on a database that Migrate has been run on.
func NewObjects(db *sqldb.DB) *Objects { return &Objects{db} }

const entryColumns = `id, parent, name, type, size, modified_at, changed_at, created_at, uid, gid, mode, born_at, props, target`

// reader is what reads: the database, or a transaction.
type reader interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func scanEntry(row sqldb.Scanner) (e s3.Entry, err error) {
	var typ int64
	var uid, gid, mode sql.NullInt64
	var born sql.NullTime
	err = row.Scan(&e.ID, &e.Parent, &e.Name, &typ, &e.Size, &e.Modified, &e.Changed, &e.Created, &uid, &gid, &mode, &born, &e.Props, &e.Target)
	e.Type = fs.FileMode(typ)
	e.Modified, e.Changed, e.Created = e.Modified.UTC(), e.Changed.UTC(), e.Created.UTC()
	if uid.Valid {
		n := uint32(uid.Int64)
		e.Attr.UID = &n
	}
	if gid.Valid {
		n := uint32(gid.Int64)
		e.Attr.GID = &n
	}
	if mode.Valid {
		m := fs.FileMode(mode.Int64)
		e.Attr.Mode = &m
	}
	if born.Valid {
		t := born.Time.UTC()
		e.Attr.Created = &t
	}
	return e, err
}

// attrArgs are uid, gid, mode and the time of creation that was set; NULL is the default.
func attrArgs(a files.Attr) (uid, gid, mode, born any) {
	if a.UID != nil {
		uid = int64(*a.UID)
	}
	if a.GID != nil {
		gid = int64(*a.GID)
	}
	if a.Mode != nil {
		mode = int64(*a.Mode)
	}
	if a.Created != nil {
		born = a.Created.UTC()
	}
	return uid, gid, mode, born
}

func entry(ctx context.Context, r reader, id int64) (s3.Entry, error) {
	return one(scanEntry(r.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM object_entries WHERE id = $1`, id)))
}

func lookup(ctx context.Context, r reader, parent int64, name string) (s3.Entry, error) {
	return one(scanEntry(r.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM object_entries
		WHERE parent = $1 AND name = $2`, parent, name)))
}

// Top implements s3.Names.
func (o *Objects) Top(ctx context.Context, key string, create bool) (s3.Entry, error) {
	e, err := lookup(ctx, o.db, 0, key)
	if !create || !errors.Is(err, fs.ErrNotExist) {
		return e, err
	}
	e, err = o.Add(ctx, s3.Entry{Name: key, Type: fs.ModeDir})
	if errors.Is(err, fs.ErrExist) { // another was quicker
		return lookup(ctx, o.db, 0, key)
	}
	return e, err
}

// Tops implements s3.Names.
func (o *Objects) Tops(ctx context.Context, fn func(key string) error) error {
	all, err := sqldb.All(scanEntry)(o.db.QueryContext(ctx, `SELECT `+entryColumns+` FROM object_entries WHERE parent = 0 ORDER BY name`))
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := fn(e.Name); err != nil {
			return err
		}
	}
	return nil
}

// Entry implements s3.Names.
func (o *Objects) Entry(ctx context.Context, id int64) (s3.Entry, error) { return entry(ctx, o.db, id) }

// Lookup implements s3.Names.
func (o *Objects) Lookup(ctx context.Context, parent int64, name string) (s3.Entry, error) {
	return lookup(ctx, o.db, parent, name)
}

// List implements s3.Names.
func (o *Objects) List(ctx context.Context, parent int64, after string, limit int) ([]s3.Entry, error) {
	return sqldb.All(scanEntry)(o.db.QueryContext(ctx, `SELECT `+entryColumns+` FROM object_entries
		WHERE parent = $1 AND name > $2 ORDER BY name LIMIT $3`, parent, after, limit))
}

// Add implements s3.Names.
func (o *Objects) Add(ctx context.Context, e s3.Entry) (s3.Entry, error) {
	err := o.db.Write(ctx, func(tx *sqldb.Tx) (err error) {
		e, err = add(ctx, tx, e)
		return err
	})
	return e, err
}

func add(ctx context.Context, tx *sqldb.Tx, e s3.Entry) (s3.Entry, error) {
	if e.Parent != 0 {
		if err := touch(ctx, tx, e.Parent); err != nil {
			return e, err
		}
	}
	now := time.Now().UTC()
	if e.Modified.IsZero() {
		e.Modified = now
	}
	e.Changed, e.Created = now, now
	uid, gid, mode, born := attrArgs(e.Attr)
	err := tx.QueryRowContext(ctx, `INSERT INTO object_entries
		(parent, name, type, size, modified_at, changed_at, created_at, uid, gid, mode, born_at, props, target)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id`,
		e.Parent, e.Name, int64(e.Type), e.Size, e.Modified.UTC(), now, now, uid, gid, mode, born, e.Props, e.Target).Scan(&e.ID)
	if sqldb.IsUnique(err) {
		return e, fs.ErrExist
	}
	return e, err
}

// touch notes that the names in a folder have changed; fs.ErrNotExist where it has gone.
func touch(ctx context.Context, tx *sqldb.Tx, id int64) error {
	now := time.Now().UTC()
	return affected(tx.ExecContext(ctx, `UPDATE object_entries SET modified_at = $1, changed_at = $2 WHERE id = $3`, now, now, id))
}

// affected is fs.ErrNotExist where a statement has found no row.
func affected(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = fs.ErrNotExist
	}
	return err
}

// Remove implements s3.Names.
func (o *Objects) Remove(ctx context.Context, parent int64, name string, dir bool) error {
	return o.db.Write(ctx, func(tx *sqldb.Tx) error {
		e, err := lookup(ctx, tx, parent, name)
		switch {
		case err != nil:
			return err
		case dir && !e.Type.IsDir():
			return files.ErrNotDir
		case !dir && e.Type.IsDir():
			return files.ErrIsDir
		}
		if dir {
			var in bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM object_entries WHERE parent = $1)`, e.ID).Scan(&in); err != nil {
				return err
			}
			if in {
				return files.ErrNotEmpty
			}
		}
		if err := drop(ctx, tx, e.ID); err != nil {
			return err
		}
		return touch(ctx, tx, parent)
	})
}

// drop takes an entry away, with its chunks.
func drop(ctx context.Context, tx *sqldb.Tx, id int64) error {
	if err := release(ctx, tx, id, 0); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM object_entries WHERE id = $1`, id)
	return err
}

// release takes from a file the chunks that begin at from or later. Objects that are then part of
// no file are garbage.
func release(ctx context.Context, tx *sqldb.Tx, id, from int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO object_garbage (object)
		SELECT DISTINCT c.object FROM object_chunks c WHERE c.entry = $1 AND c.at >= $2
		AND NOT EXISTS (SELECT 1 FROM object_chunks x WHERE x.object = c.object AND (x.entry <> c.entry OR x.at < $3))`,
		id, from, from)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM object_chunks WHERE entry = $1 AND at >= $2`, id, from)
	return err
}

// Move implements s3.Names.
func (o *Objects) Move(ctx context.Context, parent int64, name string, to int64, newname string, exclusive bool, a *files.Attr) error {
	return o.db.Write(ctx, func(tx *sqldb.Tx) error {
		e, err := lookup(ctx, tx, parent, name)
		if err != nil {
			return err
		}
		if err := clear(ctx, tx, e, to, newname, exclusive); err != nil {
			return err
		}
		if e.Type.IsDir() {
			if err := outside(ctx, tx, e.ID, to); err != nil {
				return err
			}
		}
		if err := touch(ctx, tx, to); err != nil {
			return err
		}
		if err := touch(ctx, tx, parent); err != nil {
			return err
		}
		now := time.Now().UTC()
		if _, err := tx.ExecContext(ctx, `UPDATE object_entries SET parent = $1, name = $2, changed_at = $3 WHERE id = $4`,
			to, newname, now, e.ID); err != nil {
			return err
		}
		if a == nil {
			return nil
		}
		return setAttr(ctx, tx, e.ID, *a)
	})
}

// clear makes room for e at a name.
func clear(ctx context.Context, tx *sqldb.Tx, e s3.Entry, to int64, newname string, exclusive bool) error {
	there, err := lookup(ctx, tx, to, newname)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case exclusive, e.Type.IsDir() && there.ID != e.ID:
		return fs.ErrExist
	case there.ID == e.ID:
		return nil
	case there.Type.IsDir():
		return files.ErrIsDir
	}
	return drop(ctx, tx, there.ID)
}

// outside refuses to move a folder into itself. It is one statement, as the way up may be long and
// others wait to write.
func outside(ctx context.Context, tx *sqldb.Tx, id, at int64) error {
	var within bool
	err := tx.QueryRowContext(ctx, `WITH RECURSIVE up (id, parent) AS (
			SELECT id, parent FROM object_entries WHERE id = $1
			UNION SELECT e.id, e.parent FROM object_entries e JOIN up ON e.id = up.parent)
		SELECT EXISTS (SELECT 1 FROM up WHERE id = $2)`, at, id).Scan(&within)
	if err == nil && within {
		err = files.ErrUnsupported
	}
	return err
}

// Copy implements s3.Names.
func (o *Objects) Copy(ctx context.Context, parent int64, name string, to int64, newname string) error {
	return o.db.Write(ctx, func(tx *sqldb.Tx) error {
		e, err := lookup(ctx, tx, parent, name)
		switch {
		case err != nil:
			return err
		case e.Type.IsDir():
			return files.ErrIsDir
		case !e.Type.IsRegular():
			return files.ErrUnsupported
		}
		from := e.ID
		e.Parent, e.Name = to, newname
		if e, err = add(ctx, tx, e); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO object_chunks (entry, at, size, object)
			SELECT CAST($1 AS BIGINT), at, size, object FROM object_chunks WHERE entry = $2`, e.ID, from)
		return err
	})
}

// SetAttr implements s3.Names.
func (o *Objects) SetAttr(ctx context.Context, id int64, a files.Attr) error {
	return o.db.Write(ctx, func(tx *sqldb.Tx) error { return setAttr(ctx, tx, id, a) })
}

func setAttr(ctx context.Context, tx *sqldb.Tx, id int64, a files.Attr) error {
	uid, gid, mode, born := attrArgs(a)
	return affected(tx.ExecContext(ctx, `UPDATE object_entries SET uid = $1, gid = $2, mode = $3, born_at = $4, changed_at = $5 WHERE id = $6`,
		uid, gid, mode, born, time.Now().UTC(), id))
}

// SetModified implements s3.Names.
func (o *Objects) SetModified(ctx context.Context, id int64, t time.Time) error {
	return o.db.Write(ctx, func(tx *sqldb.Tx) error {
		return affected(tx.ExecContext(ctx, `UPDATE object_entries SET modified_at = $1, changed_at = $2 WHERE id = $3`,
			t.UTC(), time.Now().UTC(), id))
	})
}

// SetProps implements s3.Names.
func (o *Objects) SetProps(ctx context.Context, id int64, data []byte) error {
	var props any // NULL
	if data != nil {
		props = data
	}
	return o.db.Write(ctx, func(tx *sqldb.Tx) error {
		return affected(tx.ExecContext(ctx, `UPDATE object_entries SET props = $1, changed_at = $2 WHERE id = $3`,
			props, time.Now().UTC(), id))
	})
}

// Chunks implements s3.Names.
func (o *Objects) Chunks(ctx context.Context, id int64) ([]s3.Chunk, error) {
	return sqldb.All(func(row sqldb.Scanner) (c s3.Chunk, err error) {
		return c, row.Scan(&c.At, &c.Size, &c.Object)
	})(o.db.QueryContext(ctx, `SELECT at, size, object FROM object_chunks WHERE entry = $1 ORDER BY at`, id))
}

// Intend implements s3.Names.
func (o *Objects) Intend(ctx context.Context, object string) error {
	return o.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO object_garbage (object) VALUES ($1)`, object)
		return err
	})
}

// Put implements s3.Names.
func (o *Objects) Put(ctx context.Context, id int64, c s3.Chunk) error {
	return o.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := affected(tx.ExecContext(ctx, `DELETE FROM object_garbage WHERE object = $1`, c.Object)); err != nil {
			return err
		}
		if err := release(ctx, tx, id, c.At); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO object_chunks (entry, at, size, object) VALUES ($1, $2, $3, $4)`,
			id, c.At, c.Size, c.Object); err != nil {
			return err
		}
		return resize(ctx, tx, id, c.At+c.Size)
	})
}

func resize(ctx context.Context, tx *sqldb.Tx, id, size int64) error {
	now := time.Now().UTC()
	return affected(tx.ExecContext(ctx, `UPDATE object_entries SET size = $1, modified_at = $2, changed_at = $3 WHERE id = $4`, size, now, now, id))
}

// Cut implements s3.Names.
func (o *Objects) Cut(ctx context.Context, id, size int64) error {
	return o.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := release(ctx, tx, id, size); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE object_chunks SET size = $1 - at WHERE entry = $2 AND at + size > $3`, size, id, size); err != nil {
			return err
		}
		return resize(ctx, tx, id, size)
	})
}

// Garbage implements s3.Names.
func (o *Objects) Garbage(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return sqldb.All(func(row sqldb.Scanner) (object string, err error) {
		return object, row.Scan(&object)
	})(o.db.QueryContext(ctx, `SELECT object FROM object_garbage WHERE since < $1 ORDER BY since, object LIMIT $2`, before.UTC(), limit))
}

// Forget implements s3.Names.
func (o *Objects) Forget(ctx context.Context, objects ...string) error {
	return (&Store{o.db}).drop(ctx, `DELETE FROM object_garbage WHERE object = $1`, objects)
}
