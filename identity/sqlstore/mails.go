package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"trivium/identity"
	"trivium/internal/mail"
	"trivium/internal/sqldb"
)

// Mails is the queue of mails; it implements mail.Store.
type Mails struct{ db *sqldb.DB }

var _ mail.Store = Mails{}

// NewMails returns the queue in a database that Migrate has been run on.
func NewMails(db *sqldb.DB) Mails { return Mails{db} }

func (m Mails) write(ctx context.Context, fn func(w *writer) error) error {
	return New(m.db).Write(ctx, func(w identity.StoreWriter) error { return fn(w.(*writer)) })
}

// PutMail implements mail.Store.
func (m Mails) PutMail(ctx context.Context, i mail.Item, most int) error {
	return m.write(ctx, func(w *writer) error {
		var waiting int
		if err := w.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM identity_mails`).Scan(&waiting); err != nil {
			return unavailable("counting mails", err)
		}
		if waiting >= most {
			return mail.ErrFull
		}
		_, err := w.exec(ctx, "queueing a mail", `INSERT INTO identity_mails (id, sealed, tries, created_at, due_at)
			VALUES ($1, $2, $3, $4, $5)`, i.ID, i.Sealed, i.Tries, micros(i.CreatedAt), micros(i.Due))
		return err
	})
}

// Mails implements mail.Store.
func (m Mails) Mails(ctx context.Context, now time.Time, limit int) ([]mail.Item, error) {
	var out []mail.Item
	err := reader{m.db, m.db.Dialect()}.each(ctx, "reading mails", func(rows *sql.Rows) error {
		var i mail.Item
		var created, due int64
		if err := rows.Scan(&i.ID, &i.Sealed, &i.Tries, &created, &due); err != nil {
			return err
		}
		i.CreatedAt, i.Due = moment(created), moment(due)
		out = append(out, i)
		return nil
	}, `SELECT id, sealed, tries, created_at, due_at FROM identity_mails WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2`, micros(now), limit)
	return out, err
}

// ClaimMail implements mail.Store.
func (m Mails) ClaimMail(ctx context.Context, i mail.Item, until time.Time) (mine bool, err error) {
	err = m.write(ctx, func(w *writer) error {
		res, err := w.exec(ctx, "taking a mail", `UPDATE identity_mails SET due_at = $1, tries = tries + 1 WHERE id = $2 AND due_at = $3`,
			micros(until), i.ID, micros(i.Due))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		mine = n == 1
		return unavailable("taking a mail", err)
	})
	return mine && err == nil, err
}

// RemoveMail implements mail.Store; one that is not there is no error.
func (m Mails) RemoveMail(ctx context.Context, id string) error {
	return m.write(ctx, func(w *writer) error {
		_, err := w.exec(ctx, "removing a mail", `DELETE FROM identity_mails WHERE id = $1`, id)
		return err
	})
}
