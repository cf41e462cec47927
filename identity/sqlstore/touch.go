package sqlstore

import (
	"context"

	"trivium/identity"
)

// Touch implements identity.StoreWriter.
func (w *writer) Touch(ctx context.Context, ids ...identity.UserID) error {
	if len(ids) == 0 {
		return nil
	}
	seq, err := w.nextChanges(ctx, len(ids))
	if err != nil {
		return err
	}
	for i, id := range ids {
		if err := w.change(ctx, "noting a change", `UPDATE identity_users SET change_seq = $1 WHERE id = $2`, seq+int64(i), string(id)); err != nil {
			return err
		}
	}
	return nil
}

// TouchServer implements identity.StoreWriter.
func (w *writer) TouchServer(ctx context.Context) error {
	_, err := w.nextChange(ctx)
	return err
}
