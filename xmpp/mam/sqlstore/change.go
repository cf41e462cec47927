package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
)

// Replace rewrites a message in all archives that hold it.
func (s *Store) Replace(ctx context.Context, who identity.UserID, id mam.ID, fn func([]byte) []byte) error {
	c, err := s.cursor(ctx, who, "")
	if err != nil {
		return fmt.Errorf("replacing a message: %w", err)
	}
	if c.owner == 0 || id <= c.low {
		return fmt.Errorf("replacing a message: %w", identity.ErrNotFound)
	}
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		m, err := readMessage(ctx, tx, id)
		if err != nil {
			return err
		}
		if !m.head.in(c.owner) {
			return identity.ErrNotFound
		}
		stanza := fn(m.stanza)
		if stanza == nil {
			return nil
		}
		return putMessage(ctx, tx, id, m.head, stanza)
	})
	if err != nil {
		return fmt.Errorf("replacing a message: %w", err)
	}
	return nil
}

func readMessage(ctx context.Context, q sqldb.Querier, id mam.ID) (message, error) {
	m, err := scanMessage(q.QueryRowContext(ctx, "SELECT id, data FROM mam_messages WHERE id = $1", int64(id)))
	if errors.Is(err, sql.ErrNoRows) {
		err = identity.ErrNotFound
	}
	return m, err
}

func putMessage(ctx context.Context, tx *sqldb.Tx, id mam.ID, h head, stanza []byte) error {
	_, err := tx.ExecContext(ctx, "UPDATE mam_messages SET data = $1 WHERE id = $2", append(h.append(nil), stanza...), int64(id))
	return err
}

// Settings returns what PutSettings stored last.
func (s *Store) Settings(ctx context.Context, who identity.UserID) ([]byte, error) {
	var b []byte
	err := s.db.QueryRowContext(ctx, "SELECT settings FROM mam_owners WHERE owner = $1", string(who)).Scan(&b)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("reading the settings of an archive: %w", err)
	}
	return b, nil
}

// PutSettings stores settings.
func (s *Store) PutSettings(ctx context.Context, who identity.UserID, settings []byte) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO mam_owners (owner, settings) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET settings = excluded.settings",
			string(who), settings)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing the settings of an archive: %w", err)
	}
	return nil
}

// Owners calls fn with each account that has something here.
func (s *Store) Owners(ctx context.Context, fn func(identity.UserID) error) error {
	for after := ""; ; {
		list, err := sqldb.All(scanText)(s.db.QueryContext(ctx, "SELECT owner FROM mam_owners WHERE owner > $1 ORDER BY owner LIMIT 256", after))
		if err != nil {
			return fmt.Errorf("listing archives: %w", err)
		}
		if len(list) == 0 {
			return nil
		}
		for _, id := range list {
			if err := fn(identity.UserID(id)); err != nil {
				return err
			}
			after = id
		}
	}
}

func scanText(row sqldb.Scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}
