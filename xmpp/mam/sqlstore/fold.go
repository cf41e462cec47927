package sqlstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
)

const (
	// runIDs is how many ids one run holds at most: a row of that size needs no overflow page.
	runIDs  = 96
	runSent = runIDs / 2 // of kindSent, where each id has its key beside it
	// foldRows is how many runs are written in one transaction, which holds up other writers.
	foldRows = 256
)

// run is a row of mam_index.
type run struct {
	owner, kind int64
	first, last mam.ID
	ids         []byte
}

// foldBehind writes the index when the tail is long.
func (s *Store) foldBehind(ctx context.Context) {
	for {
		select {
		case <-s.foldNow:
		case <-ctx.Done():
			return
		}
		if err := s.fold(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("index of the message archive not written", "error", err)
		}
	}
}

// fold writes the tail as it is now into the index. It takes some transactions, and what they write
// counts from the last one on. One that breaks off is done again, over the same rows.
func (s *Store) fold(ctx context.Context) error {
	s.folding.Lock()
	defer s.folding.Unlock()
	return s.foldHeld(ctx)
}

func (s *Store) foldHeld(ctx context.Context) error {
	s.mu.Lock()
	mark := s.durable
	if mark <= s.mark {
		s.mu.Unlock()
		return nil
	}
	tails := make(map[int64]tail, len(s.tail))
	for owner, t := range s.tail {
		if n := t.upTo(mark); n > 0 {
			tails[owner] = tail{t.ids[:n:n], t.kinds[:n:n], t.keys[:n:n]}
		}
	}
	s.mu.Unlock()

	owners := make([]int64, 0, len(tails))
	for owner := range tails {
		owners = append(owners, owner)
	}
	slices.Sort(owners) // the order of the rows on disk
	var runs []run
	for _, owner := range owners {
		t := tails[owner]
		runs = t.runs(runs, owner)
		if len(runs) >= foldRows {
			if err := s.putRuns(ctx, runs, 0); err != nil {
				return err
			}
			runs = runs[:0]
		}
	}
	if err := s.putRuns(ctx, runs, mark); err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	messages := make(map[mam.ID]struct{}, s.length)
	for owner, t := range tails {
		for _, id := range t.ids {
			messages[id] = struct{}{}
		}
		if list, ok := s.old[owner]; ok {
			s.remember(owner, t.sent(list))
		}
	}
	s.cut(mark)
	s.length -= len(messages)
	s.mark = mark
	s.folds++
	close(s.changed) // there is room in the tail
	s.changed = make(chan struct{})
	return nil
}

// sent appends the keys to list, and drops the oldest beyond what is kept.
func (t tail) sent(list []sent) []sent {
	list = slices.Clone(list) // somebody may be reading it
	for i, key := range t.keys {
		if key != 0 {
			list = append(list, sent{t.ids[i], key})
		}
	}
	if n := len(list) - keysKept; n > 0 {
		list = list[n:]
	}
	return list
}

// runs appends the rows of one archive in the order of the table.
func (t tail) runs(to []run, owner int64) []run {
	for i := 0; i < len(t.ids); i += runIDs {
		to = append(to, t.run(owner, kindAll, i, min(i+runIDs, len(t.ids)), nil))
	}
	order := make([]int, 0, len(t.ids))
	for i, key := range t.keys {
		if key != 0 {
			order = append(order, i)
		}
	}
	for len(order) > 0 {
		n := min(runSent, len(order))
		to = append(to, t.run(owner, kindSent, 0, 0, order[:n]))
		order = order[n:]
	}
	order = order[:0]
	for i := range t.ids {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.kinds[a], t.kinds[b]) })
	for len(order) > 0 {
		n, kind := 1, t.kinds[order[0]]
		for n < len(order) && n < runIDs && t.kinds[order[n]] == kind {
			n++
		}
		to = append(to, t.run(owner, kind, 0, 0, order[:n]))
		order = order[n:]
	}
	return to
}

// run makes a row of the entries that chosen names, or of those from one to another.
func (t tail) run(owner, kind int64, from, to int, chosen []int) run {
	r := run{owner: owner, kind: kind}
	add := func(i int) {
		if r.ids == nil {
			r.first = t.ids[i]
		}
		r.last = t.ids[i]
		r.ids = binary.LittleEndian.AppendUint64(r.ids, uint64(t.ids[i]))
		if kind == kindSent {
			r.ids = binary.LittleEndian.AppendUint64(r.ids, uint64(t.keys[i]))
		}
	}
	for i := from; i < to; i++ {
		add(i)
	}
	for _, i := range chosen {
		add(i)
	}
	return r
}

// putRuns writes rows in steps; the last one moves the mark, where it is not 0.
func (s *Store) putRuns(ctx context.Context, runs []run, mark mam.ID) error {
	for {
		n := min(foldRows, len(runs))
		step := runs[:n]
		runs = runs[n:]
		err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
			if err := s.putStep(ctx, tx, step); err != nil {
				return err
			}
			if len(runs) > 0 || mark == 0 {
				return nil
			}
			_, err := tx.ExecContext(ctx, putState, "mark", number(mark))
			return err
		})
		if err != nil {
			return fmt.Errorf("writing the index of the message archive: %w", err)
		}
		if len(runs) == 0 {
			return nil
		}
	}
}

func (s *Store) putStep(ctx context.Context, tx *sqldb.Tx, runs []run) error {
	args := make([]any, 0, 5*insertRows)
	for len(runs) > 0 {
		n := rowsFor(len(runs))
		args = args[:0]
		for _, r := range runs[:n] {
			args = append(args, r.owner, r.kind, int64(r.first), int64(r.last), r.ids)
		}
		if _, err := tx.ExecContext(ctx, s.insertRuns[n], args...); err != nil {
			return err
		}
		runs = runs[n:]
	}
	return nil
}
