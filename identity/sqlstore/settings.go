package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"trivium/identity"
)

// Setting implements identity.Store.
func (r reader) Setting(ctx context.Context, name string) (string, error) {
	var value string
	err := r.q.QueryRowContext(ctx, `SELECT value FROM identity_settings WHERE name = $1`, name).Scan(&value)
	return value, unavailable("reading a setting", err)
}

// PutSetting implements identity.StoreWriter.
func (w *writer) PutSetting(ctx context.Context, name, value string) error {
	if value == "" {
		_, err := w.exec(ctx, "removing a setting", `DELETE FROM identity_settings WHERE name = $1`, name)
		return err
	}
	_, err := w.exec(ctx, "keeping a setting", `INSERT INTO identity_settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// Choices implements identity.StoreReader.
func (r reader) Choices(ctx context.Context) (list []identity.Setting, err error) {
	err = r.each(ctx, "reading the settings", func(rows *sql.Rows) error {
		var c identity.Setting
		var at int64
		err := rows.Scan(&c.Key, &c.Value, &at, &c.ChangedBy)
		c.Key, c.ChangedAt = strings.TrimPrefix(c.Key, choice), moment(at)
		list = append(list, c)
		return err
	}, `SELECT name, value, changed_at, changed_by FROM identity_settings WHERE changed_at > 0 ORDER BY name`)
	return list, err
}

// Choice implements identity.StoreReader.
func (r reader) Choice(ctx context.Context, key string) (string, error) {
	return r.Setting(ctx, choice+key)
}

// PutChoice implements identity.StoreWriter.
func (w *writer) PutChoice(ctx context.Context, c identity.Setting) error {
	_, err := w.exec(ctx, "keeping a setting", `INSERT INTO identity_settings (name, value, changed_at, changed_by) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at, changed_by = excluded.changed_by`,
		choice+c.Key, c.Value, micros(c.ChangedAt), c.ChangedBy)
	return err
}

// RemoveChoice implements identity.StoreWriter.
func (w *writer) RemoveChoice(ctx context.Context, key string) error {
	return w.change(ctx, "removing a setting", `DELETE FROM identity_settings WHERE name = $1`, choice+key)
}

// choice begins the names of what people chose, so that no key of theirs is one of the server's own.
const choice = "set."
