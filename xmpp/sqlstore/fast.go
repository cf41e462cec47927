package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
)

func (r reader) FAST(ctx context.Context, owner identity.UserID, client string) (xmpp.FASTClient, error) {
	row := r.q.QueryRowContext(ctx, `SELECT client, software, device, mechanism, version, current_nonce, current_expires, next_nonce, next_expires, uses, first_seen, last_seen
		FROM xmpp_fast WHERE owner = $1 AND client = $2`, string(owner), client)
	c, err := scanFAST(row)
	if errors.Is(err, sql.ErrNoRows) {
		err = identity.ErrNotFound
	}
	if err != nil {
		return xmpp.FASTClient{}, fmt.Errorf("reading the tokens of a client: %w", err)
	}
	return c, nil
}

func (r reader) FASTClients(ctx context.Context, owner identity.UserID) ([]xmpp.FASTClient, error) {
	list, err := sqldb.All(scanFAST)(r.q.QueryContext(sqldb.Brief(ctx), `SELECT client, software, device, mechanism, version, current_nonce, current_expires, next_nonce, next_expires, uses, first_seen, last_seen
		FROM xmpp_fast WHERE owner = $1 ORDER BY last_seen DESC, client`, string(owner)))
	if err != nil {
		return nil, fmt.Errorf("reading the clients with tokens: %w", err)
	}
	return list, nil
}

func (w *writer) PutFAST(ctx context.Context, owner identity.UserID, c xmpp.FASTClient) error {
	_, err := w.tx.ExecContext(ctx, `INSERT INTO xmpp_fast (owner, client, software, device, mechanism, version, current_nonce, current_expires, next_nonce, next_expires, uses, first_seen, last_seen)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (owner, client) DO UPDATE SET software = excluded.software, device = excluded.device, mechanism = excluded.mechanism, version = excluded.version,
			current_nonce = excluded.current_nonce, current_expires = excluded.current_expires, next_nonce = excluded.next_nonce, next_expires = excluded.next_expires,
			uses = excluded.uses, first_seen = excluded.first_seen, last_seen = excluded.last_seen`,
		string(owner), c.Agent.ID, c.Agent.Software, c.Agent.Device, c.Mechanism, c.Version, c.Current.Nonce, seconds(c.Current.Expires), c.Next.Nonce, seconds(c.Next.Expires),
		c.Uses, seconds(c.FirstSeen), seconds(c.LastSeen))
	if err != nil {
		return fmt.Errorf("storing the tokens of a client: %w", err)
	}
	return nil
}

func (w *writer) RemoveFAST(ctx context.Context, owner identity.UserID, client string) error {
	if _, err := w.tx.ExecContext(ctx, "DELETE FROM xmpp_fast WHERE owner = $1 AND client = $2", string(owner), client); err != nil {
		return fmt.Errorf("removing the tokens of a client: %w", err)
	}
	return nil
}

// scanFAST reads one row of xmpp_fast; sql.ErrNoRows comes back as it is.
func scanFAST(row sqldb.Scanner) (c xmpp.FASTClient, err error) {
	var current, next, first, last int64
	err = row.Scan(&c.Agent.ID, &c.Agent.Software, &c.Agent.Device, &c.Mechanism, &c.Version, &c.Current.Nonce, &current, &c.Next.Nonce, &next, &c.Uses, &first, &last)
	c.Current.Expires, c.Next.Expires, c.FirstSeen, c.LastSeen = moment(current), moment(next), moment(first), moment(last)
	return c, err
}

// seconds is a time as it is stored, to the second; 0 for the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func moment(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}
