package sqlstore

import (
	"context"
	"time"

	"trivium/identity"
)

// Once implements identity.Store.
func (r reader) Once(ctx context.Context, asker, key string) (identity.Once, error) {
	o := identity.Once{Asker: asker, Key: key}
	var at int64
	err := r.q.QueryRowContext(ctx, `SELECT print, answer, at FROM identity_once WHERE asker = $1 AND key = $2`, asker, key).Scan(&o.Print, &o.Answer, &at)
	if err != nil {
		return identity.Once{}, unavailable("reading a request", err)
	}
	if len(o.Answer) == 0 {
		o.Answer = nil
	}
	o.At = moment(at)
	return o, nil
}

// CountOnce implements identity.Store.
func (r reader) CountOnce(ctx context.Context, asker string) (n int, err error) {
	err = r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM identity_once WHERE asker = $1`, asker).Scan(&n)
	return n, unavailable("counting requests", err)
}

// AddOnce implements identity.StoreWriter.
func (w *writer) AddOnce(ctx context.Context, o identity.Once) error {
	_, err := w.exec(ctx, "keeping a request", `INSERT INTO identity_once (asker, key, print, answer, at) VALUES ($1, $2, $3, $4, $5)`,
		o.Asker, o.Key, o.Print, []byte{}, micros(o.At))
	return err
}

// AnswerOnce implements identity.StoreWriter.
func (w *writer) AnswerOnce(ctx context.Context, asker, key string, answer []byte) error {
	return w.change(ctx, "keeping the answer of a request", `UPDATE identity_once SET answer = $1 WHERE asker = $2 AND key = $3`, answer, asker, key)
}

// RemoveOnce implements identity.StoreWriter.
func (w *writer) RemoveOnce(ctx context.Context, asker, key string) error {
	return w.change(ctx, "forgetting a request", `DELETE FROM identity_once WHERE asker = $1 AND key = $2`, asker, key)
}

// ForgetOnce implements identity.StoreWriter.
func (w *writer) ForgetOnce(ctx context.Context, before time.Time) error {
	_, err := w.exec(ctx, "forgetting requests", `DELETE FROM identity_once WHERE at < $1`, micros(before))
	return err
}
