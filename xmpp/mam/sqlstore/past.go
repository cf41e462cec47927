package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
)

// errBusy is an archive that people write to while its past is written.
var errBusy = errors.New("messages arrive meanwhile; stop the server first")

// pastStep is how many messages are put into the past in one transaction.
const pastStep = 500

// Import puts messages into the past of one archive.
func (s *Store) Import(ctx context.Context, who identity.UserID, list []mam.Past) (added int, err error) {
	o, err := s.owner(ctx, who, true)
	if err != nil {
		return 0, fmt.Errorf("importing messages: %w", err)
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b mam.Past) int { return a.At.Compare(b.At) })
	s.folding.Lock()
	defer s.folding.Unlock()
	if err := s.foldHeld(ctx); err != nil {
		return 0, err
	}
	for step := range slices.Chunk(list, pastStep) {
		n, err := s.importStep(ctx, o, step)
		if err != nil {
			return added, fmt.Errorf("importing messages: %w", err)
		}
		added += n
	}
	return added, nil
}

// importStep writes some messages with their index. Nothing else may be on its way to the disk: the
// mark moves over all that it writes.
func (s *Store) importStep(ctx context.Context, o owner, step []mam.Past) (int, error) {
	s.mu.Lock()
	busy := len(s.queue)+len(s.flight) > 0 || s.length > 0
	mark, floor := max(s.mark, s.last), max(o.floor, s.floor)
	s.mu.Unlock()
	if busy {
		return 0, errBusy
	}
	p := &past{s: s, owner: o.n, floor: floor, added: make(map[int64][]mam.ID)}
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		clear(p.added)
		p.newest = 0
		for _, m := range step {
			if err := p.put(ctx, tx, m); err != nil {
				return err
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(p.added)) {
			if err := p.index(ctx, tx, kind); err != nil {
				return err
			}
		}
		mark = max(mark, p.newest)
		_, err := tx.ExecContext(ctx, putState, "mark", number(mark))
		return err
	})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark, s.durable, s.last = mark, max(s.durable, mark), max(s.last, mark)
	return len(p.added[kindAll]), nil
}

// past is one transaction of an import.
type past struct {
	s      *Store
	owner  int64
	floor  mam.ID
	newest mam.ID
	added  map[int64][]mam.ID // by kind
}

// put writes a message at its time, or at the next microsecond that is free. One that is there already
// is not written again.
func (p *past) put(ctx context.Context, tx *sqldb.Tx, m mam.Past) error {
	if now := p.s.now(); m.At.After(now) {
		m.At = now
	}
	id := mam.FirstAt(m.At) | p.s.node
	if id <= p.floor || m.At.Unix() <= 0 {
		return nil // as old as what has left the archive
	}
	h := head{to: p.owner, kind: contactKind(m.FromJID)}
	if m.Sent {
		h = head{from: p.owner, fromKind: contactKind(m.ToJID)}
	}
	data := append(h.append(make([]byte, 0, headSize+len(m.Stanza))), m.Stanza...)
	had, err := p.taken(ctx, tx, m.At)
	if err != nil {
		return err
	}
	for {
		old, ok := had[id]
		if !ok {
			break
		}
		if bytes.Equal(old, data) {
			return nil
		}
		id += 1 << nodeShift
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO mam_messages (id, data) VALUES ($1, $2)", int64(id), data); err != nil {
		return err
	}
	kind := h.kindIn(p.owner)
	p.added[kindAll] = append(p.added[kindAll], id)
	p.added[kind] = append(p.added[kind], id)
	p.newest = max(p.newest, id)
	return nil
}

// nodeShift is where the microseconds of an id begin.
const nodeShift = 8

// taken reads what is there from a moment on, as far as it may have to be passed over: as many
// microseconds as other servers, which count whole seconds, put messages into one.
func (p *past) taken(ctx context.Context, tx *sqldb.Tx, at time.Time) (map[mam.ID][]byte, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, data FROM mam_messages WHERE id BETWEEN $1 AND $2 ORDER BY id",
		int64(mam.FirstAt(at)), int64(mam.LastAt(at.Add(pastStep*time.Microsecond))))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	had := make(map[mam.ID][]byte)
	for rows.Next() {
		var id int64
		var data []byte
		if err := rows.Scan(&id, &data); err != nil {
			return nil, err
		}
		had[mam.ID(id)] = data
	}
	return had, rows.Err()
}

// index writes what was added to one kind of runs: those that it falls into are written anew.
func (p *past) index(ctx context.Context, tx *sqldb.Tx, kind int64) error {
	ids := slices.Clone(p.added[kind])
	slices.Sort(ids)
	first, last := ids[0], ids[len(ids)-1]
	rows, err := tx.QueryContext(ctx, "SELECT ids FROM mam_index WHERE owner = $1 AND kind = $2 AND first <= $3 AND last >= $4 ORDER BY first",
		p.owner, kind, int64(last), int64(first))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return err
		}
		for ; len(b) >= 8; b = b[8:] {
			ids = append(ids, mam.ID(binary.LittleEndian.Uint64(b)))
		}
	}
	if err := cmp.Or(rows.Err(), rows.Close()); err != nil {
		return err
	}
	slices.Sort(ids)
	if _, err := tx.ExecContext(ctx, "DELETE FROM mam_index WHERE owner = $1 AND kind = $2 AND first <= $3 AND last >= $4",
		p.owner, kind, int64(last), int64(first)); err != nil {
		return err
	}
	var runs []run
	for part := range slices.Chunk(ids, runIDs) {
		r := run{owner: p.owner, kind: kind, first: part[0], last: part[len(part)-1]}
		for _, id := range part {
			r.ids = binary.LittleEndian.AppendUint64(r.ids, uint64(id))
		}
		runs = append(runs, r)
	}
	return p.s.putStep(ctx, tx, runs)
}
