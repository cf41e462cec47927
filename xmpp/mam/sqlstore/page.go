package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
)

// Page reads a part of an archive.
func (s *Store) Page(ctx context.Context, who identity.UserID, q mam.Query) (mam.Page, error) {
	page, err := s.page(ctx, who, q)
	if err != nil {
		return mam.Page{}, fmt.Errorf("reading the message archive: %w", err)
	}
	return page, nil
}

func (s *Store) page(ctx context.Context, who identity.UserID, q mam.Query) (mam.Page, error) {
	c, err := s.cursor(ctx, who, q.With)
	if err != nil {
		return mam.Page{}, err
	}
	for _, id := range [...]mam.ID{q.After, q.Before, q.PageAfter, q.PageBefore} {
		if id != 0 {
			if err := s.exists(ctx, c, id); err != nil {
				return mam.Page{}, err
			}
		}
	}
	if q.IDs != nil {
		if err := c.only(ctx, q.IDs); err != nil {
			return mam.Page{}, err
		}
	}
	c.low, c.high = max(c.low, q.After, q.PageAfter), math.MaxInt64
	for _, id := range [...]mam.ID{q.Before, q.PageBefore} {
		if id != 0 {
			c.high = min(c.high, id)
		}
	}
	if !q.Start.IsZero() {
		c.low = max(c.low, mam.FirstAt(q.Start)-1)
	}
	if !q.End.IsZero() {
		c.high = min(c.high, mam.LastAt(q.End)+1)
	}
	c.back = q.Backward
	r := reading{cursor: c, q: q, page: mam.Page{Complete: true}}
	for !r.full {
		want := min(q.Max-len(r.page.Messages)+1, chunk)
		if q.Match != nil {
			want = chunk
		}
		ids, err := c.next(ctx, want)
		if err != nil {
			return mam.Page{}, err
		}
		if len(ids) == 0 {
			break
		}
		if err := s.fetch(ctx, ids, c.back, r.add); err != nil {
			return mam.Page{}, err
		}
	}
	if q.Backward {
		slices.Reverse(r.page.Messages)
	}
	return r.page, nil
}

// reading is a page while it is read.
type reading struct {
	*cursor
	q           mam.Query
	page        mam.Page
	seen, bytes int
	full        bool // and not Complete
}

// add takes the next message, less what is not in the archive any more; false where it is too much.
func (r *reading) add(m message) bool {
	if !m.head.in(r.owner) {
		return true
	}
	r.seen++
	r.full = r.q.Match != nil && r.seen > r.q.Scan
	if !r.full && r.q.Match != nil && !r.q.Match(m.stanza) {
		return true
	}
	r.bytes += len(m.stanza)
	n := len(r.page.Messages)
	r.full = r.full || n >= r.q.Max || n > 0 && r.q.Bytes > 0 && r.bytes > r.q.Bytes
	if r.full {
		r.page.Complete = false
		return false
	}
	r.page.Messages = append(r.page.Messages, mam.Stored{ID: m.id, Stanza: m.stanza})
	return true
}

// exists answers identity.ErrNotFound where id is not in the archive.
func (s *Store) exists(ctx context.Context, c *cursor, id mam.ID) error {
	if id <= c.low || c.owner == 0 {
		return identity.ErrNotFound
	}
	m, err := readMessage(ctx, s.db, id)
	if err == nil && !m.head.in(c.owner) {
		err = identity.ErrNotFound
	}
	return err
}

type message struct {
	id     mam.ID
	head   head
	stanza []byte
}

// chunk is how many messages are fetched at once.
const chunk = 101

// fetchSizes are the numbers of ids in the statements that fetch.
var fetchSizes = [...]int{1, 11, 51, chunk}

// fetch calls fn with the messages ids, which are in the order of the archive, or with back in the
// reverse order, until it returns false. Those that are not there are left out.
func (s *Store) fetch(ctx context.Context, ids []mam.ID, back bool, fn func(message) bool) error {
	for rest := ids; len(rest) > 0; {
		size := fetchSizes[len(fetchSizes)-1]
		for _, n := range fetchSizes {
			if len(rest) <= n {
				size = n
				break
			}
		}
		n := min(size, len(rest))
		args := make([]any, size)
		for i := range args {
			args[i] = int64(rest[min(i, n-1)]) // the last one again: it does not come twice
		}
		rest = rest[n:]
		query := s.fetches[size]
		if back {
			query = s.fetchesBack[size]
		}
		more, err := s.each(ctx, fn, query, args)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// each calls fn with the messages that a query gives; more says that fn wants more.
func (s *Store) each(ctx context.Context, fn func(message) bool, query string, args []any) (more bool, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }() // what reading found wrong stands in rows.Err
	for rows.Next() {
		m, err := scanMessage(rows)
		if err != nil {
			return false, err
		}
		if !fn(m) {
			return false, nil
		}
	}
	return true, rows.Err()
}

func scanMessage(row sqldb.Scanner) (m message, err error) {
	var id int64
	var data []byte
	if err := row.Scan(&id, &data); err != nil {
		return m, err
	}
	m.id = mam.ID(id)
	m.head, m.stanza, err = parseHead(data)
	return m, err
}

// cursor walks the ids of one archive, or of its part with one contact.
type cursor struct {
	s         *Store
	owner     int64
	kind      int64
	low, high mam.ID // both exclusive
	mark      mam.ID // up to here from the index
	tail      []mam.ID
	given     []mam.ID // these alone, where only was called
	chosen    bool
	back      bool
	begun     bool
	from      mam.ID   // first of the last run that was read
	ahead     []mam.ID // read and not yet given, in the direction of the walk
	latest    mam.ID   // the last one that came into ahead
	ended     bool     // of the index
}

// cursor finds an archive as it is now. What is on its way to it is waited for.
func (s *Store) cursor(ctx context.Context, who identity.UserID, with string) (*cursor, error) {
	o, err := s.owner(ctx, who, false)
	if err != nil {
		return nil, err
	}
	c := &cursor{s: s, owner: o.n, kind: kindAll}
	if with != "" {
		c.kind = contactKind(with)
	}
	s.mu.Lock()
	var newest mam.ID
	if t := s.tail[o.n]; t != nil && o.n != 0 {
		newest = t.ids[len(t.ids)-1]
	}
	s.mu.Unlock()
	if err := s.settle(ctx, newest); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.mark, c.low = s.mark, max(o.floor, s.floor)
	if t := s.tail[o.n]; t != nil && o.n != 0 {
		n := t.upTo(s.durable)
		c.tail = t.ids[:n]
		if c.kind != kindAll {
			c.tail = nil
			for i, kind := range t.kinds[:n] {
				if kind == c.kind {
					c.tail = append(c.tail, t.ids[i])
				}
			}
		}
	}
	return c, nil
}

// only narrows the walk to ids, each of which must be in the archive.
func (c *cursor) only(ctx context.Context, ids []mam.ID) error {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids {
		if id <= c.low {
			return identity.ErrNotFound
		}
	}
	there := 0
	err := c.s.fetch(ctx, ids, false, func(m message) bool {
		if m.head.in(c.owner) {
			there++
			if c.kind == kindAll || m.head.kindIn(c.owner) == c.kind {
				c.given = append(c.given, m.id)
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	if there != len(ids) {
		return identity.ErrNotFound
	}
	c.chosen = true
	return nil
}

func (c *cursor) inside(id mam.ID) bool { return id > c.low && id < c.high }

// next gives at most n more ids, none at the end.
func (c *cursor) next(ctx context.Context, n int) ([]mam.ID, error) {
	if c.owner == 0 {
		return nil, nil
	}
	if !c.begun {
		c.begun = true
		switch {
		case c.chosen:
			c.ended = true
			c.take(c.given)
		case c.back:
			c.from = min(c.high, c.mark+1)
			c.take(c.tail)
		}
	}
	for len(c.ahead) < n && !c.ended {
		if err := c.fill(ctx); err != nil {
			return nil, err
		}
	}
	n = min(n, len(c.ahead))
	ids := c.ahead[:n]
	c.ahead = c.ahead[n:]
	return ids, nil
}

// take appends those of ids that are inside, in the direction of the walk.
func (c *cursor) take(ids []mam.ID) {
	for i := range ids {
		id := ids[i]
		if c.back {
			id = ids[len(ids)-1-i]
		}
		// A fold that broke off may have left runs that overlap with those of the next.
		if !c.inside(id) || c.latest != 0 && (id > c.latest) == c.back {
			continue
		}
		if id != c.latest {
			c.ahead = append(c.ahead, id)
		}
		c.latest = id
	}
}

const (
	runsBefore = "SELECT first, ids FROM mam_index WHERE owner = $1 AND kind = $2 AND first < $3 ORDER BY first DESC LIMIT $4"
	runsFrom   = "SELECT first, ids FROM mam_index WHERE owner = $1 AND kind = $2 AND first >= $3 ORDER BY first LIMIT $4"
	runBefore  = "SELECT first FROM mam_index WHERE owner = $1 AND kind = $2 AND first <= $3 ORDER BY first DESC LIMIT 1"
	runsAhead  = 16
)

// fill reads some more runs.
func (c *cursor) fill(ctx context.Context) error {
	query := runsFrom
	if c.back {
		query = runsBefore
	} else if c.from == 0 { // the run that low lies in comes first
		var first int64
		err := c.s.db.QueryRowContext(ctx, runBefore, c.owner, c.kind, int64(c.low)).Scan(&first)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		c.from = mam.ID(first)
	}
	runs, err := sqldb.All(scanRun)(c.s.db.QueryContext(ctx, query, c.owner, c.kind, int64(c.from), runsAhead))
	if err != nil {
		return err
	}
	c.ended = len(runs) < runsAhead
	for _, r := range runs {
		ids := make([]mam.ID, 0, len(r.ids)/8)
		for b := r.ids; len(b) >= 8; b = b[8:] {
			if id := mam.ID(binary.LittleEndian.Uint64(b)); id <= c.mark {
				ids = append(ids, id)
			}
		}
		c.take(ids)
		c.from = r.first + 1
		if c.back {
			c.from = r.first
			c.ended = c.ended || r.first <= c.low
		} else {
			c.ended = c.ended || r.first >= c.high
		}
	}
	if c.ended && !c.back {
		c.take(c.tail)
	}
	return nil
}

func scanRun(row sqldb.Scanner) (r run, err error) {
	var first int64
	err = row.Scan(&first, &r.ids)
	r.first = mam.ID(first)
	return r, err
}

// Bounds returns the oldest and the newest message.
func (s *Store) Bounds(ctx context.Context, who identity.UserID) (first, last mam.ID, err error) {
	for _, back := range [...]bool{false, true} {
		p, err := s.Page(ctx, who, mam.Query{Max: 1, Backward: back})
		if err != nil || len(p.Messages) == 0 {
			return 0, 0, err
		}
		if back {
			last = p.Messages[0].ID
		} else {
			first = p.Messages[0].ID
		}
	}
	return first, last, nil
}

// Count says how many messages there are.
func (s *Store) Count(ctx context.Context, who identity.UserID, with string) (int, error) {
	c, err := s.cursor(ctx, who, with)
	if err != nil || c.owner == 0 {
		return 0, err
	}
	var n int
	err = s.db.QueryRowContext(ctx, "SELECT COALESCE(SUM(LENGTH(ids)), 0) / 8 FROM mam_index WHERE owner = $1 AND kind = $2 AND first > $3 AND last <= $4",
		c.owner, c.kind, int64(c.low), int64(c.mark)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting an archive: %w", err)
	}
	// and of the run that low lies in, what is beyond it
	runs, err := sqldb.All(scanRun)(s.db.QueryContext(ctx, "SELECT first, ids FROM mam_index WHERE owner = $1 AND kind = $2 AND first <= $3 ORDER BY first DESC LIMIT 1",
		c.owner, c.kind, int64(c.low)))
	if err != nil {
		return 0, fmt.Errorf("counting an archive: %w", err)
	}
	for _, r := range runs {
		for b := r.ids; len(b) >= 8; b = b[8:] {
			if mam.ID(binary.LittleEndian.Uint64(b)) > c.low {
				n++
			}
		}
	}
	for _, id := range c.tail {
		if id > c.low {
			n++
		}
	}
	return n, nil
}

// readOwner reads a row of mam_owners, zero where there is none.
func readOwner(ctx context.Context, q sqldb.Querier, id identity.UserID) (owner, error) {
	var o owner
	var floor int64
	err := q.QueryRowContext(ctx, "SELECT n, floor FROM mam_owners WHERE owner = $1", string(id)).Scan(&o.n, &floor)
	if errors.Is(err, sql.ErrNoRows) {
		return owner{}, nil
	}
	o.floor = mam.ID(floor)
	return o, err
}
