package sqlstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
)

const (
	// keysKept is how many of the last messages of an account are known again when they are sent
	// a second time, beside all that the tail holds: more than a client has in work at once.
	keysKept = 256
	// keepersKept bounds the accounts whose keys are in memory, and keysInMemory those keys, of
	// 16 bytes.
	keepersKept  = 1 << 14
	keysInMemory = 1 << 17
	// keysSought is how many keys Find looks at.
	keysSought = 20_000
)

// oldKeys are the last keys of the index for whoever keeps the key of h, and how often they may
// have changed at that moment.
func (s *Store) oldKeys(ctx context.Context, h head) (list []sent, folds int, err error) {
	s.mu.Lock()
	list, ok := s.old[h.keeper()]
	folds = s.folds
	s.mu.Unlock()
	if ok || h.key == 0 {
		return list, folds, nil
	}
	if list, err = readKeys(ctx, s.db, h.keeper(), keysKept); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folds == folds {
		s.remember(h.keeper(), list)
	}
	return list, folds, nil
}

// remember keeps the keys of one account, nil to forget them; mu is held.
func (s *Store) remember(keeper int64, list []sent) {
	s.oldKept += len(list) - len(s.old[keeper])
	if list == nil {
		delete(s.old, keeper)
		return
	}
	s.old[keeper] = list
	for other, l := range s.old { // any one goes
		if len(s.old) <= keepersKept && s.oldKept <= keysInMemory {
			break
		}
		if other != keeper {
			s.oldKept -= len(l)
			delete(s.old, other)
		}
	}
}

// readKeys reads the newest keys of an archive, in the order of ids.
func readKeys(ctx context.Context, q sqldb.Querier, keeper int64, most int) ([]sent, error) {
	rows, err := q.QueryContext(ctx, "SELECT ids FROM mam_index WHERE owner = $1 AND kind = $2 ORDER BY first DESC LIMIT $3", keeper, kindSent, most)
	if err != nil {
		return nil, fmt.Errorf("reading what was sent: %w", err)
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	list := []sent{}                    // never nil: that none is there is worth to know, too
	for rows.Next() && len(list) < most {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		for i := len(b) - 16; i >= 0; i -= 16 {
			list = append(list, sent{mam.ID(binary.LittleEndian.Uint64(b[i:])), int64(binary.LittleEndian.Uint64(b[i+8:]))})
		}
	}
	slices.Reverse(list)
	return list, rows.Err()
}

// Find looks for a message by the id that its sender gave.
func (s *Store) Find(ctx context.Context, who identity.UserID, from, to, origin string) (mam.ID, error) {
	o, err := s.owner(ctx, who, false)
	if err != nil || o.n == 0 {
		return 0, err
	}
	key := keyOf(from, to, origin)
	s.mu.Lock()
	id := s.keys[sentKey{o.n, key}]
	s.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	list, err := readKeys(ctx, s.db, o.n, keysSought)
	if err != nil {
		return 0, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].key == key && list[i].id > max(o.floor, s.hidden()) {
			return list[i].id, nil
		}
	}
	return 0, nil
}

// hidden is up to where nothing is shown in any archive.
func (s *Store) hidden() mam.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.floor
}
