package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of one transaction. They keep the write-ahead log small and the first caller's wait
// short; past them the transaction is committed and the rest goes into the next one.
const (
	queueLen   = 1024
	batchCalls = 256
	batchBytes = 4 << 20
	batchTime  = 50 * time.Millisecond
	keptStmts  = 256
)

// States of a call.
const (
	queued int32 = iota
	started
	withdrawn
)

var (
	errExit = errors.New("the function given to Write ended its goroutine (runtime.Goexit)")
	errLost = errors.New("the transaction has failed")
)

// call is one caller's function in the queue.
type call struct {
	ctx   context.Context
	fn    func(*Tx) error
	state atomic.Int32
	err   error
	done  chan struct{} // closed when err is final
}

// writer owns the write connection. One goroutine, run, touches the fields below conn.
type writer struct {
	pool   *sql.DB
	engine engine
	log    *slog.Logger

	mu     sync.RWMutex // held for reading while sending into queue, for writing to close it
	closed bool
	queue  chan *call
	ended  chan struct{} // closed when run has returned

	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	commits atomic.Int64 // of batches, for tests
}

func startWriter(ctx context.Context, pool *sql.DB, e engine, log *slog.Logger) (*writer, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		pool: pool, engine: e, log: log, conn: conn,
		queue: make(chan *call, queueLen),
		ended: make(chan struct{}),
		stmts: make(map[string]*sql.Stmt),
	}
	go w.run()
	return w, nil
}

// do queues fn and waits for its commit.
func (w *writer) do(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := w.send(c); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
	}
	if c.state.CompareAndSwap(queued, withdrawn) {
		return ctx.Err()
	}
	// It has begun: whether it will be durable is known only at the end.
	<-c.done
	return c.err
}

func (w *writer) send(c *call) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- c:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// close lets run finish what is queued and gives the connection back to the pool.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	close(w.queue)
	w.mu.Unlock()
	<-w.ended
	w.forget()
	if err := w.conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("closing the writer's connection: %w", err)
	}
	return nil
}

// run commits what is queued until the queue is closed and empty.
func (w *writer) run() {
	finished := false
	defer func() {
		if finished {
			close(w.ended)
			return
		}
		// A caller's runtime.Goexit (a test's FailNow) ends this goroutine, but not the writer.
		go w.run()
	}()
	for c := range w.queue {
		w.batch(c)
	}
	finished = true
}

// batch runs first and what else is queued in one transaction.
func (w *writer) batch(first *call) {
	ctx := context.Background()
	var calls []*call // those whose work is in the transaction
	fatal := errExit  // why nothing of it was committed; only Goexit leaves this value
	defer func() {
		if fatal != nil {
			w.rollback(ctx)
		}
		w.answer(calls, fatal)
	}()

	if err := w.begin(ctx); err != nil {
		if first.state.CompareAndSwap(queued, started) {
			calls = append(calls, first)
		}
		// Whoever waits hears of it now, not after a try of one's own that takes as long.
		for c := w.next(len(calls), 0, time.Now()); c != nil; c = w.next(len(calls), 0, time.Now()) {
			if c.state.CompareAndSwap(queued, started) {
				calls = append(calls, c)
			}
		}
		fatal = fmt.Errorf("beginning a database transaction: %w", err)
		return
	}
	start, bytes := time.Now(), 0
	for c := first; c != nil; c = w.next(len(calls), bytes, start) {
		if !c.state.CompareAndSwap(queued, started) {
			continue // its caller has gone
		}
		calls = append(calls, c)
		n, err := w.savepoint(ctx, c, len(calls) == 1)
		bytes += n
		if err != nil {
			fatal = fmt.Errorf("the database gave up the transaction that this write was in: %w", err)
			return
		}
	}
	if w.engine.state(w.conn) != txOpen { // a COMMIT would succeed, and roll back
		fatal = errors.New("committing to the database: the transaction has failed")
		return
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		fatal = fmt.Errorf("committing to the database: %w", err)
		if errors.Is(err, ErrGone) {
			fatal = fmt.Errorf("committing to the database, which may have been done or not: %w", err)
		}
		return
	}
	w.commits.Add(1)
	fatal = nil
}

// next answers the next call for this transaction, or nil when it is full or nobody waits.
func (w *writer) next(calls, bytes int, start time.Time) *call {
	if calls >= batchCalls || bytes >= batchBytes || time.Since(start) >= batchTime {
		return nil
	}
	select {
	case c := <-w.queue: // nil when closed
		return c
	default:
		return nil
	}
}

// savepoint runs one call. The error it answers is that of the whole transaction; the call's own
// stays in c.err. The number is the size of its arguments.
func (w *writer) savepoint(ctx context.Context, c *call, first bool) (int, error) {
	_, saves := w.engine.begin()
	switch {
	case !saves:
		if _, err := w.exec(ctx, "SAVEPOINT caller"); err != nil {
			return 0, err
		}
	case !first:
		if _, err := w.exec(ctx, "RELEASE caller; SAVEPOINT caller"); err != nil {
			return 0, err
		}
	}
	tx := &Tx{w: w, conn: w.conn}
	c.err = w.call(tx, c.fn)
	tx.end()
	if c.err == nil {
		c.err = errors.Join(tx.failed, tx.lost, tx.aborted)
	}
	switch w.engine.state(w.conn) {
	case txNone:
		return tx.bytes, errors.Join(errLost, tx.lost)
	case txFailed: // by an error that came with the rows of a query, which the caller did not look at
		if c.err == nil {
			c.err = errLost
		}
	}
	if c.err != nil {
		if _, err := w.exec(ctx, "ROLLBACK TO caller"); err != nil {
			return tx.bytes, errors.Join(tx.lost, err)
		}
	}
	if saves {
		return tx.bytes, nil
	}
	_, err := w.exec(ctx, "RELEASE caller")
	return tx.bytes, err
}

// call runs fn and makes an error of a panic.
func (w *writer) call(tx *Tx, fn func(*Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn(tx)
}

// answer gives each call its outcome: its own error, else that of the transaction.
func (w *writer) answer(calls []*call, err error) {
	for _, c := range calls {
		if c.err == nil {
			c.err = err
		}
		close(c.done)
	}
}

// begin starts the transaction, on a new connection where the old one is beyond use.
func (w *writer) begin(ctx context.Context) error {
	text, _ := w.engine.begin()
	_, err := w.exec(ctx, text)
	if err == nil || w.engine.dialect() == SQLite && w.engine.breaks(err) || w.engine.state(w.conn) == txFailed {
		return err
	}
	if rerr := w.renew(ctx); rerr != nil {
		if w.engine.dialect() == Postgres {
			return rerr // the other is how a connection of the past broke
		}
		return errors.Join(err, rerr)
	}
	w.log.Warn("database write connection replaced", "error", err)
	_, err = w.exec(ctx, text)
	return err
}

// rollback ends the transaction where one is open. Its error says that none was, or that the
// connection is broken, which the next begin finds.
func (w *writer) rollback(ctx context.Context) {
	_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
}

// renew throws the connection away and takes another.
func (w *writer) renew(ctx context.Context) error {
	w.forget()
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it; the error is our own
	_ = w.conn.Close()
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn = conn
	return nil
}

// exec runs one of the writer's own statements.
func (w *writer) exec(ctx context.Context, query string) (sql.Result, error) {
	if st := w.prepared(ctx, query); st != nil {
		return st.ExecContext(ctx)
	}
	return w.conn.ExecContext(ctx, query)
}

// prepared answers the kept statement for query, preparing it at its first use; nil where that
// fails, and the caller's own try then tells why.
func (w *writer) prepared(ctx context.Context, query string) *sql.Stmt {
	if !w.engine.prepares() {
		return nil
	}
	if st := w.stmts[query]; st != nil {
		return st
	}
	st, err := w.conn.PrepareContext(ctx, positional(query))
	if err != nil {
		return nil
	}
	if len(w.stmts) >= keptStmts {
		w.forget()
	}
	w.stmts[query] = st
	return st
}

// forget closes the kept statements.
func (w *writer) forget() {
	for query, st := range w.stmts {
		_ = st.Close() // nothing hangs on it
		delete(w.stmts, query)
	}
}
