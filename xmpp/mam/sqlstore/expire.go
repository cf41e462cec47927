package sqlstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
)

const (
	// dropRows is how many rows one transaction removes, and dropSteps how many of those one call
	// of Expire makes at most.
	dropRows  = 256
	dropSteps = 16
	// sweepOwners is how many accounts one call of Expire looks at.
	sweepOwners = 64
	// everything is the floor of an archive that is being removed.
	everything = mam.ID(math.MaxInt64)
)

// Remove forgets an account.
func (s *Store) Remove(ctx context.Context, who identity.UserID) error {
	s.folding.Lock()
	defer s.folding.Unlock()
	o, err := s.owner(ctx, who, false)
	if err != nil || o.n == 0 {
		return err
	}
	// First it is out of sight, and then it goes; Expire finishes what breaks off.
	if err := s.setFloor(ctx, who, o.n, everything); err != nil {
		return err
	}
	if err := s.settleAll(ctx); err != nil {
		return err
	}
	if err := s.foldHeld(ctx); err != nil {
		return err
	}
	for {
		more, err := s.drop(ctx, o.n, everything)
		if err != nil || !more {
			return err
		}
	}
}

// settleAll waits until all that Put was called for is on disk.
func (s *Store) settleAll(ctx context.Context) error {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	return s.settle(ctx, last)
}

// setFloor hides the messages of an archive up to floor.
func (s *Store) setFloor(ctx context.Context, who identity.UserID, n int64, floor mam.ID) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE mam_owners SET floor = $1 WHERE n = $2", int64(floor), n)
		return err
	})
	if err != nil {
		return fmt.Errorf("hiding what an archive held: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owners, who)
	s.remember(n, nil)
	s.folds++
	return nil
}

// Expire hides what is too old or too much, and removes some of it.
func (s *Store) Expire(ctx context.Context, before time.Time, keep int) (more bool, err error) {
	s.folding.Lock()
	defer s.folding.Unlock()
	steps := dropSteps
	if keep > 0 { // it counts by the index
		if err := errors.Join(s.settleAll(ctx), s.foldHeld(ctx)); err != nil {
			return false, err
		}
	}
	if floor := mam.FirstAt(before) - 1; floor > s.hidden() {
		if err := s.raise(ctx, floor); err != nil {
			return false, err
		}
	}
	if floor := s.hidden(); floor > 0 {
		for full := true; full && steps > 0; steps-- {
			if full, err = s.dropOld(ctx, floor); err != nil {
				return false, err
			}
		}
	}
	for n := 0; n < sweepOwners && steps > 0; n++ {
		a, err := s.nextArchive(ctx)
		if err != nil {
			return false, err
		}
		if a.n == 0 {
			s.sweepAt = 0
			return false, nil
		}
		ended, err := s.sweep(ctx, a, keep, &steps)
		if err != nil {
			return false, err
		}
		if ended {
			s.sweepAt = a.n
		}
	}
	return true, nil
}

// raise hides all messages of all archives up to floor.
func (s *Store) raise(ctx context.Context, floor mam.ID) error {
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(ctx, putState, "floor", number(floor))
		return err
	})
	if err != nil {
		return fmt.Errorf("hiding old messages: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor = floor
	return nil
}

// dropOld removes some messages that are too old for any archive; full says that there may be more.
func (s *Store) dropOld(ctx context.Context, floor mam.ID) (full bool, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM mam_messages WHERE id IN (SELECT id FROM mam_messages WHERE id <= $1 ORDER BY id LIMIT $2)", int64(floor), dropRows)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		full = n == dropRows
		return err
	})
	if err != nil {
		return false, fmt.Errorf("removing old messages: %w", err)
	}
	return full, nil
}

// archive is a row of mam_owners that Expire looks at.
type archive struct {
	owner
	who   identity.UserID
	swept mam.ID
}

// nextArchive is the one after that which was swept last, zero behind the last.
func (s *Store) nextArchive(ctx context.Context) (archive, error) {
	list, err := sqldb.All(scanArchive)(s.db.QueryContext(ctx, "SELECT n, owner, floor, swept FROM mam_owners WHERE n > $1 ORDER BY n LIMIT 1", s.sweepAt))
	if err != nil {
		return archive{}, fmt.Errorf("looking for archives to sweep: %w", err)
	}
	if len(list) == 0 {
		return archive{}, nil
	}
	return list[0], nil
}

func scanArchive(row sqldb.Scanner) (a archive, err error) {
	var floor, swept int64
	err = row.Scan(&a.n, (*string)(&a.who), &floor, &swept)
	a.floor, a.swept = mam.ID(floor), mam.ID(swept)
	return a, err
}

// sweep removes what one archive does not hold any more; ended says that nothing of it is left.
func (s *Store) sweep(ctx context.Context, a archive, keep int, steps *int) (ended bool, err error) {
	floor := max(a.floor, s.hidden())
	if keep > 0 && floor != everything {
		excess, err := s.excess(ctx, a, floor, keep)
		if err != nil {
			return false, err
		}
		floor = max(floor, excess)
	}
	if floor > a.floor {
		if err := s.setFloor(ctx, a.who, a.n, floor); err != nil {
			return false, err
		}
	}
	if floor <= a.swept && floor != everything {
		return true, nil
	}
	for ; *steps > 0; *steps-- {
		more, err := s.drop(ctx, a.n, floor)
		if err != nil {
			return false, err
		}
		if !more {
			return true, nil
		}
	}
	return false, nil
}

// excess is the newest message of an archive that is too much beside the keep newer ones, 0 where
// there is none.
func (s *Store) excess(ctx context.Context, a archive, floor mam.ID, keep int) (mam.ID, error) {
	const newest = "SELECT first, last, ids FROM mam_index WHERE owner = $1 AND kind = $2 AND last > $3 ORDER BY first DESC"
	rows, err := s.db.QueryContext(ctx, newest, a.n, kindAll, int64(floor))
	if err != nil {
		return 0, fmt.Errorf("measuring an archive: %w", err)
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	for rows.Next() {
		var first, last int64
		var ids []byte
		if err := rows.Scan(&first, &last, &ids); err != nil {
			return 0, fmt.Errorf("measuring an archive: %w", err)
		}
		if n := len(ids) / 8; keep >= n {
			keep -= n
			continue
		}
		at := len(ids) - 8*(keep+1)
		return mam.ID(binary.LittleEndian.Uint64(ids[at:])), nil
	}
	return 0, rows.Err()
}

// drop takes a step in removing what is not beyond floor from an archive: a run and the messages
// in it, which stay for the other archive that holds them. At the end the runs by contact go, and
// with everything the row of the account. more says that another step is due.
func (s *Store) drop(ctx context.Context, n int64, floor mam.ID) (more bool, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		runs, err := sqldb.All(scanRun)(tx.QueryContext(ctx, "SELECT first, ids FROM mam_index WHERE owner = $1 AND kind = $2 AND first <= $3 ORDER BY first LIMIT $4",
			n, kindAll, int64(floor), dropRows/runIDs))
		if err != nil {
			return err
		}
		for _, r := range runs {
			left, err := s.release(ctx, tx, n, r, floor)
			if err != nil || left {
				return errors.Join(err, s.dropRest(ctx, tx, n, floor))
			}
		}
		if more = len(runs) > 0; more {
			return nil
		}
		return s.dropRest(ctx, tx, n, floor)
	})
	if err != nil {
		return false, fmt.Errorf("removing what an archive held: %w", err)
	}
	return more, nil
}

// release takes the messages of a run out of an archive; left says that newer ones stay in it, and
// so does the run.
func (s *Store) release(ctx context.Context, tx *sqldb.Tx, n int64, r run, floor mam.ID) (left bool, err error) {
	for b := r.ids; len(b) >= 8; b = b[8:] {
		id := mam.ID(binary.LittleEndian.Uint64(b))
		if id > floor {
			return true, nil
		}
		m, err := readMessage(ctx, tx, id)
		if errors.Is(err, identity.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if m.head.from == n {
			m.head.from = 0
		}
		if m.head.to == n {
			m.head.to = 0
		}
		if m.head.from == 0 && m.head.to == 0 {
			_, err = tx.ExecContext(ctx, "DELETE FROM mam_messages WHERE id = $1", int64(id))
		} else {
			err = putMessage(ctx, tx, id, m.head, m.stanza)
		}
		if err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM mam_index WHERE owner = $1 AND kind = $2 AND first = $3", n, kindAll, int64(r.first))
	return false, err
}

func (s *Store) dropRest(ctx context.Context, tx *sqldb.Tx, n int64, floor mam.ID) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM mam_index WHERE owner = $1 AND last <= $2", n, int64(floor)); err != nil {
		return err
	}
	if floor == everything {
		_, err := tx.ExecContext(ctx, "DELETE FROM mam_owners WHERE n = $1", n)
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE mam_owners SET swept = $1 WHERE n = $2", int64(floor), n)
	return err
}
