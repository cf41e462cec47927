package sqlstore

import "context"

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
