package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"trivium/identity"
)

// Devices implements identity.Store.
func (r reader) Devices(ctx context.Context, user identity.UserID) ([]identity.Device, error) {
	var out []identity.Device
	err := r.each(ctx, "reading devices", func(rows *sql.Rows) error {
		d := identity.Device{User: user}
		var road string
		var first, last int64
		if err := rows.Scan(&d.Near, &d.Far, &road, &d.Token, &d.Client, &first, &last); err != nil {
			return err
		}
		d.Road, d.FirstSeen, d.LastSeen = identity.Road(road), moment(first), moment(last)
		out = append(out, d)
		return nil
	}, `SELECT near, far, road, token, client, first_seen, last_seen FROM identity_devices
		WHERE user_id = $1 ORDER BY last_seen DESC, near`, string(user))
	return out, err
}

// DeviceKnown implements identity.Store.
func (r reader) DeviceKnown(ctx context.Context, domain string, name identity.UserName, near []byte, since time.Time) (bool, error) {
	var known bool
	err := r.q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM identity_devices WHERE user_id = COALESCE(
		(SELECT id FROM identity_users WHERE domain = $1 AND login = $2),
		(SELECT target FROM identity_aliases WHERE domain = $1 AND name = $2))
		AND near = $3 AND last_seen >= $4)`, domain, string(name), near, micros(since)).Scan(&known)
	return known, unavailable("looking for a device", err)
}

// PutDevice implements identity.StoreWriter.
func (w *writer) PutDevice(ctx context.Context, d identity.Device) error {
	_, err := w.exec(ctx, "noting a device", `INSERT INTO identity_devices (user_id, near, far, road, token, client, first_seen, last_seen)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (user_id, near) DO UPDATE SET far = excluded.far, client = excluded.client, last_seen = excluded.last_seen`,
		string(d.User), d.Near, d.Far, string(d.Road), d.Token, d.Client, micros(d.FirstSeen), micros(d.LastSeen))
	return err
}

// RemoveDevices implements identity.StoreWriter; one that is not there is no error.
func (w *writer) RemoveDevices(ctx context.Context, user identity.UserID, near ...[]byte) error {
	for _, key := range near {
		_, err := w.exec(ctx, "forgetting a device", `DELETE FROM identity_devices WHERE user_id = $1 AND near = $2`, string(user), key)
		if err != nil {
			return err
		}
	}
	return nil
}

// ForgetDevices implements identity.StoreWriter.
func (w *writer) ForgetDevices(ctx context.Context, before time.Time) error {
	_, err := w.exec(ctx, "forgetting devices", `DELETE FROM identity_devices WHERE last_seen < $1 AND EXISTS (
		SELECT 1 FROM identity_devices later WHERE later.user_id = identity_devices.user_id AND later.last_seen > identity_devices.last_seen)`,
		micros(before))
	return err
}
