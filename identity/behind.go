package identity

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what is written behind.
const (
	maxBehind    = 4096
	behindBatch  = 512
	behindPace   = 50 * time.Millisecond // from one write to the next, so that what comes between shares a commit
	flushTimeout = 5 * time.Second
	maxPatience  = 5 * time.Second // of a good log-in, until its row is dropped after all
)

// job is one write that nobody waits for: a row of the audit log, or do.
type job struct {
	do    func(context.Context, StoreWriter) error
	audit AuditEvent // where do is nil
}

// run does the job in the transaction of w, and adds the row of the log that it stands for.
func (j *job) run(ctx context.Context, w StoreWriter, rows []AuditEvent) ([]AuditEvent, error) {
	if j.do == nil {
		return append(rows, j.audit), nil
	}
	return rows, j.do(ctx, w)
}

// behind writes what need not be durable at once (audit of log-ins, last log-in, bans) in
// batches. Its queue is bounded, so that a storm of wrong log-ins fills neither memory nor store:
// what finds no room is counted and dropped. The row of a good log-in waits for room, since who logs in
// can wait, and somebody will want to know of it.
type behind struct {
	audit *auditLog
	log   *slog.Logger
	queue chan job
	full  chan struct{} // says that a whole batch waits
	lost  atomic.Int64

	mu     sync.Mutex           // guards logins
	logins map[UserID]time.Time // last log-ins, each with a job in the queue
}

func newBehind(audit *auditLog, log *slog.Logger) *behind {
	return &behind{audit: audit, log: log, queue: make(chan job, maxBehind), full: make(chan struct{}, 1), logins: map[UserID]time.Time{}}
}

// push queues a write; false where there is no room.
func (b *behind) push(do func(context.Context, StoreWriter) error) bool { return b.add(job{do: do}) }

// record queues a row of the audit log.
func (b *behind) record(e AuditEvent) {
	j := job{audit: cleaned(e)}
	if e.Event == EventLoginOK && len(b.queue) == cap(b.queue) {
		b.wait(j)
		return
	}
	b.add(j)
}

// wait queues j as soon as there is room.
func (b *behind) wait(j job) {
	patience := time.NewTimer(maxPatience)
	defer patience.Stop()
	select {
	case b.queue <- j:
	case <-patience.C:
		b.lost.Add(1)
	}
}

func (b *behind) add(j job) bool {
	select {
	case b.queue <- j:
	default:
		b.lost.Add(1)
		return false
	}
	if len(b.queue) >= behindBatch {
		select {
		case b.full <- struct{}{}:
		default:
		}
	}
	return true
}

// login notes the last log-in of an account; of those that come before the write the last counts.
func (b *behind) login(id UserID, at time.Time) {
	b.mu.Lock()
	_, queued := b.logins[id]
	b.logins[id] = at
	b.mu.Unlock()
	if queued {
		return
	}
	last := at
	ok := b.push(func(ctx context.Context, w StoreWriter) error {
		b.mu.Lock()
		if at, more := b.logins[id]; more { // else it is tried once more
			last = at
			delete(b.logins, id)
		}
		b.mu.Unlock()
		return w.PutLastLogin(ctx, id, last)
	})
	if !ok {
		b.mu.Lock()
		delete(b.logins, id)
		b.mu.Unlock()
	}
}

// run writes until ctx ends, and then what is left. The first write after a pause comes at once, and
// so does one of a whole batch.
func (b *behind) run(ctx context.Context) {
	pace := time.NewTimer(0)
	defer pace.Stop()
	for {
		select {
		case j := <-b.queue:
			select {
			case <-pace.C:
			case <-b.full:
			case <-ctx.Done():
			}
			b.write(ctx, j)
			pace.Reset(behindPace)
		case <-ctx.Done():
			b.flush(ctx)
			return
		}
	}
}

// flush writes all that is queued.
func (b *behind) flush(ctx context.Context) {
	drain(b.queue, func(j job) { b.write(ctx, j) })
}

// drain does what waits in a queue, and not what comes after it.
func drain[T any](queue <-chan T, do func(T)) {
	for {
		select {
		case v := <-queue:
			do(v)
		default:
			return
		}
	}
}

// write commits first and what is queued behind it as one transaction. If that fails each has
// one of its own, so that one bad write costs itself alone.
func (b *behind) write(ctx context.Context, first job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	batch := append(make([]job, 0, min(1+len(b.queue), behindBatch)), first)
	for len(batch) < behindBatch {
		select {
		case j := <-b.queue:
			batch = append(batch, j)
			continue
		default:
		}
		break
	}
	lost := b.lost.Swap(0)
	err := b.audit.write(ctx, func(w StoreWriter) (rows []AuditEvent, err error) {
		for i := range batch {
			if rows, err = batch[i].run(ctx, w, rows); err != nil {
				return nil, err
			}
		}
		if lost > 0 {
			rows = append(rows, lostRows(lost, b.audit.now()))
		}
		return rows, nil
	})
	if err != nil {
		b.lost.Add(lost)
		for i := range batch {
			err := b.audit.write(ctx, func(w StoreWriter) ([]AuditEvent, error) { return batch[i].run(ctx, w, nil) })
			if err != nil && !errors.Is(err, ErrNotFound) { // the account may be gone meanwhile
				b.log.Error("writing behind", "err", err)
			}
		}
		return
	}
	if lost > 0 {
		b.log.Warn("audit rows dropped, the queue was full", "rows", lost)
	}
}

// lostRows says in the log itself that it is not whole.
func lostRows(n int64, at time.Time) AuditEvent {
	return AuditEvent{Time: at, Event: EventAuditLost, Via: ViaServer, Subject: "audit log", Result: "lost",
		Detail: strconv.FormatInt(n, 10) + " writes found no room in the queue", After: fields{"writes": n}.text()}
}
