package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp/mam"
)

// Put queues a message.
func (s *Store) Put(ctx context.Context, m mam.Message, done func(error)) (mam.Receipt, error) {
	h, err := s.head(ctx, m)
	if err != nil {
		return mam.Receipt{}, fmt.Errorf("archiving a message: %w", err)
	}
	data := append(h.append(make([]byte, 0, headSize+len(m.Stanza))), m.Stanza...)
	var differs mam.ID // a message of the same key that is another one
	for {
		old, folds, err := s.oldKeys(ctx, h)
		if err != nil {
			return mam.Receipt{}, fmt.Errorf("archiving a message: %w", err)
		}
		s.mu.Lock()
		if s.folds != folds {
			s.mu.Unlock()
			continue
		}
		first := s.first(h, old)
		if first != 0 && first != differs {
			if m.Content == 0 {
				return s.again(first, done), nil // unlocks
			}
			s.mu.Unlock()
			if first < m.Since {
				differs = first
				continue
			}
			same, err := s.same(ctx, first, m.Stanza[len(m.Stanza)-min(m.Content, len(m.Stanza)):])
			if err != nil {
				return mam.Receipt{}, fmt.Errorf("archiving a message: %w", err)
			}
			if !same {
				differs = first
				continue
			}
			s.mu.Lock()
			return s.again(first, done), nil // unlocks
		}
		if s.closed {
			s.mu.Unlock()
			return mam.Receipt{}, mam.ErrClosed
		}
		if len(s.queue)+len(s.flight) < queueCount && s.waiting < queueBytes && s.length < tailCount {
			id := s.enqueue(h, data, done)
			s.mu.Unlock()
			s.poke()
			return mam.Receipt{ID: id}, nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return mam.Receipt{}, context.Cause(ctx)
		}
	}
}

// enqueue gives the message its id; mu is held.
func (s *Store) enqueue(h head, data []byte, done func(error)) mam.ID {
	id := max(mam.FirstAt(s.now()), mam.FirstAt(s.last.Time().Add(time.Microsecond))) | s.node
	s.last = id
	e := &entry{id: id, head: h, data: data}
	if done != nil {
		e.done = append(e.done, done)
	}
	s.queue = append(s.queue, e)
	s.waiting += len(data)
	s.note(id, h)
	return id
}

// head finds the archives of a message.
func (s *Store) head(ctx context.Context, m mam.Message) (head, error) {
	var h head
	if m.From == "" && m.To == "" {
		return h, errors.New("the message is for no archive")
	}
	if m.From != "" {
		o, err := s.owner(ctx, m.From, true)
		if err != nil {
			return h, err
		}
		h.from, h.fromKind = o.n, contactKind(m.ToJID)
	}
	if m.To != "" && m.To != m.From { // what one writes to oneself is there once
		o, err := s.owner(ctx, m.To, true)
		if err != nil {
			return h, err
		}
		h.to, h.kind = o.n, contactKind(m.FromJID)
	}
	if m.Origin != "" {
		h.key = keyOf(m.FromJID, m.ToJID, m.Origin)
	}
	return h, nil
}

// first finds the message of the same key, 0 where there is none; mu is held.
func (s *Store) first(h head, old []sent) mam.ID {
	if h.key == 0 {
		return 0
	}
	if id := s.keys[sentKey{h.keeper(), h.key}]; id != 0 {
		return id
	}
	for i := len(old) - 1; i >= 0; i-- {
		if old[i].key == h.key {
			return old[i].id
		}
	}
	return 0
}

// again is the receipt of a message that is there already. It is called with mu held and gives it
// back.
func (s *Store) again(first mam.ID, done func(error)) mam.Receipt {
	for _, list := range [...][]*entry{s.queue, s.flight} {
		i := sort.Search(len(list), func(i int) bool { return list[i].id >= first })
		if i < len(list) && list[i].id == first && first > s.durable {
			if done != nil {
				list[i].done = append(list[i].done, done)
			}
			s.mu.Unlock()
			return mam.Receipt{ID: first, Again: true}
		}
	}
	s.mu.Unlock()
	if done != nil {
		done(nil)
	}
	return mam.Receipt{ID: first, Again: true}
}

// same reports whether the message id ends in these bytes.
func (s *Store) same(ctx context.Context, id mam.ID, content []byte) (bool, error) {
	if err := s.settle(ctx, id); err != nil {
		return false, err
	}
	m, err := readMessage(ctx, s.db, id)
	if errors.Is(err, identity.ErrNotFound) {
		return false, nil
	}
	return err == nil && bytes.HasSuffix(m.stanza, content), err
}

// settle waits until id is on disk or has failed.
func (s *Store) settle(ctx context.Context, id mam.ID) error {
	for {
		s.mu.Lock()
		durable, changed := s.durable >= id, s.changed
		s.mu.Unlock()
		if durable {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *Store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

const (
	batchCount = 1024
	batchBytes = 2 << 20
	// gather is how long a batch collects while much comes: delivery does not wait for it, and an
	// acknowledgement that comes a little later costs less than an fsync for each.
	gather = 4 * time.Millisecond
	much   = 8
)

// write is the goroutine that writes the queue.
func (s *Store) write() {
	var began time.Time
	count := 0
	for range s.wake {
		for {
			if pause := gather - time.Since(began); count >= much && pause > 0 {
				time.Sleep(pause)
			}
			batch, closed := s.take()
			if len(batch) == 0 {
				if closed {
					return
				}
				break
			}
			began, count = time.Now(), len(batch)
			s.finish(batch, s.insert(batch))
		}
	}
}

// take moves the front of the queue into flight.
func (s *Store) take() (batch []*entry, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for n < len(s.queue) && n < batchCount && bytes < batchBytes {
		bytes += len(s.queue[n].data)
		n++
	}
	batch = s.queue[:n:n]
	if s.queue = s.queue[n:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.flight = batch
	return batch, s.closed
}

// insert writes a batch in one transaction.
func (s *Store) insert(batch []*entry) error {
	ctx := context.Background() // it is bounded by the disk alone
	args := make([]any, 0, 2*insertRows)
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for rest := batch; len(rest) > 0; {
			n := rowsFor(len(rest))
			args = args[:0]
			for _, e := range rest[:n] {
				args = append(args, int64(e.id), e.data)
			}
			if _, err := tx.ExecContext(ctx, s.insertMessages[n], args...); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
}

// finish tells all who wait for a batch.
func (s *Store) finish(batch []*entry, err error) {
	if err != nil {
		s.log.Error("messages not archived", "count", len(batch), "error", err)
		err = fmt.Errorf("archiving a message: %w", err)
	}
	s.mu.Lock()
	s.flight = nil
	s.durable = batch[len(batch)-1].id
	for _, e := range batch {
		s.waiting -= len(e.data)
		if err != nil {
			s.forget(e.id, e.head)
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	long := s.length >= s.opts.foldAt
	s.mu.Unlock()
	for _, e := range batch {
		for _, done := range e.done { // nobody appends once it is durable
			done(err)
		}
	}
	if long {
		select {
		case s.foldNow <- struct{}{}:
		default:
		}
	}
}

// owner finds the row of an account, and makes one where it must.
func (s *Store) owner(ctx context.Context, id identity.UserID, make bool) (owner, error) {
	s.mu.Lock()
	o, ok := s.owners[id]
	folds := s.folds
	s.mu.Unlock()
	if ok {
		return o, nil
	}
	o, err := readOwner(ctx, s.db, id)
	if err == nil && o.n == 0 && make {
		err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO mam_owners (owner) VALUES ($1) ON CONFLICT (owner) DO NOTHING", string(id)); err != nil {
				return err
			}
			o, err = readOwner(ctx, tx, id)
			return err
		})
	}
	if err != nil {
		return owner{}, fmt.Errorf("finding an archive: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.n != 0 && s.folds == folds {
		if len(s.owners) >= ownersKept {
			clear(s.owners)
		}
		s.owners[id] = o
	}
	return o, nil
}
