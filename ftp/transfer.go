package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"trivium/files"
	"trivium/identity"
)

const (
	// slice is how much one sendfile or splice moves before a stop is looked for.
	slice = 8 << 20
	// chunk is the buffer of a listing.
	chunk = 32 << 10
	// small is what passes through us even on the fast path: less than that costs sendfile more
	// system calls than it saves.
	small = 64 << 10
	// large is from where on the library moves a file: what it costs for each transfer is nothing
	// beside that.
	large = 16 << 20
)

// transfer is one RETR, STOR or listing: what the engine takes for a file.
type transfer struct {
	s     *session
	door  *door
	doing string // for people: "STOR /a.iso"
	verb  string
	path  string // as the client sees it
	canon string // where that lies, for the transfer logs
	size  int64  // bytes that it will move; -1: nobody knows
	begin string // text of the 150
	ascii bool
	prot  bool
	level int // of MODE Z; -1: MODE S

	// One of three.
	file   *files.File
	upload *files.Upload
	list   func(io.Writer) error

	span *span // of RANG, for an upload; nil: all of the file
	part bool  // of RANG, for a download: size bytes are sent, and no more

	offset  int64
	allo    int64 // -1: nothing was said
	settled func(files.Info)

	stopped atomic.Bool // by ABOR, a hang-up, an end of the session
	halted  atomic.Bool // by an administrator
	lost    atomic.Bool // the right to it was taken away
	moved   atomic.Int64
	fast    atomic.Bool // the kernel moves the bytes, and knows how many
	began   time.Time
	move    *identity.Move // its row in the list of those that run
	heard   atomic.Int64   // nanoseconds of Unix: since when silence of the client counts; 0: not yet
	watch   watch
	carried bool  // by the goroutine that reads commands
	wire    *wire // of TLS; the engine's goroutine
	bare    *bare // nil: the data connection is the runtime's; the engine's goroutine
	rates   throttle
	leave   func() // gives its place among the transfers to another; nil: it has none
	err     error  // the engine's goroutine
	stood   bool   // a data connection was there; the engine's goroutine
	closed  bool   // what was opened is settled; the engine's goroutine
	aborts  int    // ABORs that wait for an answer; guarded by control.mu
}

// still reports whether the session may move what it moves yet. A list holds names that it had read.
func (t *transfer) still() bool {
	switch {
	case t.file != nil:
		return t.file.Still()
	case t.upload != nil:
		return t.upload.Still()
	}
	return true
}

// abort stops the transfer from outside.
func (t *transfer) abort() {
	t.stopped.Store(true)
	t.door.cut()
}

// progress is how many bytes have been moved.
func (t *transfer) progress() int64 {
	n := t.moved.Load()
	if t.fast.Load() {
		if c := t.door.tcp(); c != nil {
			n = max(n, wireBytes(c, t.upload != nil))
		}
	}
	return n
}

// wireBytes asks the kernel how much a connection has received, or sent and had acknowledged.
func wireBytes(c *net.TCPConn, received bool) int64 {
	info, _ := askTCP(c)
	if received {
		return info.received
	}
	return info.acked
}

// handle is a transfer as the library sees it. Bytes go by WriteTo and ReadFrom alone.
type handle struct{ *transfer }

func (handle) Read([]byte) (int, error)       { return 0, io.EOF }
func (handle) Write(p []byte) (int, error)    { return len(p), nil } // of no bytes, after an empty upload
func (handle) Seek(int64, int) (int64, error) { return 0, nil }

// WriteTo sends to the data connection.
func (h handle) WriteTo(w io.Writer) (int64, error) {
	t := h.transfer
	if t.err = t.shake(w); t.err == nil {
		if t.err = t.send(w); t.err != nil {
			t.door.cut() // half a file must not look like a whole one
			if t.bare != nil {
				t.bare.reset()
			}
		}
	}
	return t.moved.Load(), t.err
}

// ReadFrom receives from the data connection.
func (h handle) ReadFrom(r io.Reader) (int64, error) {
	t := h.transfer
	if t.err = t.shake(r); t.err == nil {
		t.err = t.receive(r)
	}
	return t.moved.Load(), t.err
}

// TransferError tells why there was nothing to copy to or from.
func (h handle) TransferError(err error) {
	if h.err == nil {
		h.err = err
	}
}

// Close settles an upload before the connection is closed and the reply given: 226 means that
// the file stands under its name.
func (h handle) Close() error {
	t := h.transfer
	if t.closed {
		return t.err
	}
	t.closed = true
	if t.stopped.Load() && t.err != nil {
		t.err = errAborted
	}
	switch {
	case t.file != nil:
		_ = t.file.Close() // it was read
	case t.upload != nil:
		t.err = t.settle(t.err)
	}
	return t.err
}

// conn is the data connection itself.
func (t *transfer) conn() (*net.TCPConn, error) {
	if t.bare != nil {
		return t.bare.tcp()
	}
	if c := t.door.tcp(); c != nil {
		return c, nil
	}
	return nil, errNoConnection
}

// shake does the TLS handshake of a data connection, if there is TLS, within tls_timeout.
func (t *transfer) shake(conn any) error {
	c, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.door.ctx, t.s.srv.limits.TLSTimeout)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errHandshake, err)
	}
	return nil
}

// hungUp reports whether the client closed its control connection before it could know how the
// upload went, without QUIT: a clear stream that ends so has been cut.
func (t *transfer) hungUp() bool {
	if t.stopped.Load() {
		return true
	}
	if info, ok := askTCP(t.s.raw); !ok || info.open {
		return false
	}
	select {
	case <-t.s.gone: // the reader has seen all that was sent
	case <-time.After(tick):
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	return !t.s.quitting
}

// settle makes an upload's file appear, or keeps what came for a resume.
func (t *transfer) settle(err error) error {
	if t.span != nil {
		defer t.span.close()
	}
	if err == nil && !t.stopped.Load() {
		// The client's hang-up does not undo what it has sent completely.
		if t.span != nil {
			if err := t.span.fill(t.s.ctx, t.upload, t.moved.Load()); err != nil {
				return errors.Join(err, t.upload.Discard())
			}
		}
		info, err := t.upload.Commit(context.WithoutCancel(t.s.ctx))
		if err == nil && t.settled != nil {
			t.settled(info)
		}
		return err
	}
	if err == nil {
		err = errAborted
	}
	ours := errors.Is(err, files.ErrQuota) || errors.Is(err, files.ErrNoSpace)
	if t.offset == 0 && (ours || t.moved.Load() == 0) || t.span != nil || errors.Is(err, errDeflate) {
		return errors.Join(err, t.upload.Discard()) // there is no space for it, or nothing that may be kept
	}
	return errors.Join(err, t.upload.Suspend())
}

// started is the engine's word that the data connection stands.
func (t *transfer) started() {
	t.stood = true
	if t.carried && t.file != nil && !t.prot && t.size >= 0 && t.size <= small {
		t.s.hold(line(150, t.begin)) // it goes with the 226 a moment later
		return
	}
	t.s.reply(150, t.begin)
}

// wired is the data connection for TLS on it.
func (t *transfer) wired(c *net.TCPConn) *wire {
	t.wire = &wire{TCPConn: c, pads: &t.s.srv.pads}
	return t.wire
}

// over is the engine's word that the transfer has ended.
func (t *transfer) over(good bool) {
	switch {
	case t.err != nil || good:
	case !t.stood:
		t.err = errNoConnection
	default:
		t.err = errors.New("the transfer engine failed")
	}
	if t.stopped.Load() && t.err != nil && !errors.Is(t.err, files.ErrQuota) {
		t.err = errAborted
	}
	// The library answers before it closes the file where no connection came.
	_ = handle{t}.Close() // its error is t.err
	if t.wire != nil {
		t.wire.release()
	}
	t.watch.stop()
	t.s.ended(t)
}

// start begins a transfer over the prepared data connection; the last reply comes from ended.
// When it returns the session may belong to another goroutine.
func (s *session) start(t *transfer) {
	t.s, t.door, t.prot, t.began, t.level = s, s.door, s.params.prot, time.Now(), -1
	if s.params.deflate {
		t.level = s.params.level
	}
	if t.list == nil {
		t.canon = s.canonical(t.path)
	}
	s.door = nil
	if !s.admit(t) {
		t.level = -1
		s.refuseTransfer(t, answer{450, crowdedText})
		return
	}
	if t.level >= 0 && !s.srv.deflates.enter() {
		t.level = -1
		s.refuseTransfer(t, answer{450, "Too many compressed transfers are running: try later, or with MODE S."})
		return
	}
	s.mu.Lock()
	e, err := s.engineFor(t)
	if err != nil {
		s.mu.Unlock()
		s.logger().Error("transfer engine", "error", err)
		t.err = err
		s.refuseTransfer(t, failed)
		return
	}
	_, carries := e.(direct)
	t.carried = carries && !s.drainer
	s.busy = t
	s.work.Add(1)
	if !t.carried { // else nobody reads; who takes the turn sets it
		s.deadline()
	}
	first := s.overtaking()
	s.mu.Unlock()
	t.move = s.ses.Move(t.live(), func() { s.halt(t) }, func(d *identity.Details) {
		d.State, d.Doing = identity.StateTransfer, t.doing
	})
	t.watch.start(t)
	for _, c := range first {
		c.now(&s.control, c.arg)
	}
	e.Transfer(t)
}

// admit takes a place among the transfers of files, if one is free.
func (s *session) admit(t *transfer) bool {
	if t.list != nil {
		return true
	}
	key, class := s.accountKey(), s.ses.Class()
	th, ok := s.srv.gates.enter(key, class, s.ses.Limits(), t.upload != nil)
	if ok {
		t.rates = th
		t.leave = func() { s.srv.gates.leave(key, class.Name) }
	}
	return ok
}

// left gives its places to others.
func (t *transfer) left() {
	if t.leave != nil {
		t.leave()
	}
	if t.level >= 0 {
		t.s.srv.deflates.leave()
	}
}

// refuseTransfer ends a transfer that does not begin.
func (s *session) refuseTransfer(t *transfer, a answer) {
	if t.err == nil {
		t.err = errAborted
	}
	_ = handle{t}.Close() // nothing was moved
	t.left()
	t.door.cut()
	s.reply(a.code, a.text)
}

// engineFor chooses who moves the bytes; mu is held.
func (s *session) engineFor(t *transfer) (engine, error) {
	if s.closed {
		return nil, errAborted
	}
	if t.size < s.srv.large || t.level >= 0 {
		return direct{s.srv}, nil
	}
	if s.engine == nil {
		e, err := newLibrary(s)
		if err != nil {
			return nil, err
		}
		s.engine = e
	}
	return s.engine, nil
}

// ended gives the last reply of a transfer and the answers to ABOR, and lets go on what has
// waited, in one moment.
func (s *session) ended(t *transfer) {
	defer s.work.Done()
	var ln *passive
	if t.err == nil {
		ln = t.door.spare()
	}
	t.door.release()
	t.left()
	a := transferReply(t.err, t.upload != nil)
	if t.halted.Load() && errors.Is(t.err, errAborted) {
		a.text = haltedText
	}
	if t.lost.Load() && errors.Is(t.err, errAborted) {
		a.text = lostText
	}
	took := slog.Int64("took_ms", time.Since(t.began).Milliseconds())
	what := []any{slog.String("doing", t.doing), slog.Int64("bytes", t.moved.Load()), took, slog.Int("code", a.code)}
	switch {
	case t.err == nil:
		s.logger().Info("transfer done", what...)
	case a == failed:
		s.logger().Error("transfer failed", append(what, "error", t.err)...)
	default:
		s.logger().Info("transfer broken off", append(what, "error", t.err)...)
	}
	s.srv.logTransfer(t, a)
	t.move.End(func(d *identity.Details) {
		d.Doing = ""
		if d.State == identity.StateTransfer {
			d.State = identity.StateReady
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.err == nil {
		s.held += s.news(a.code)
	}
	s.answer(a, t.aborts)
	s.busy = nil
	s.transferred, s.quiet = s.idleSince, s.idleSince
	s.goOn()
	s.keep(ln)
}

// keep keeps a listener for the next transfer, and sees to it that what was kept goes again; mu
// is held.
func (s *session) keep(ln *passive) {
	if s.closed || s.spare != nil {
		ln.shut()
	} else {
		s.spare = ln
	}
	if s.dropping || s.spare == nil && s.engine == nil {
		return
	}
	s.dropping = true
	if s.dropper == nil {
		s.dropper = time.AfterFunc(s.dropAfter(), s.drop)
	} else {
		s.dropper.Reset(s.dropAfter())
	}
}

// dropAfter is when something of what was kept will have had its time at the earliest; mu is held.
func (c *control) dropAfter() time.Duration {
	if c.spare != nil {
		return spareLife
	}
	return max(c.srv.engineLife-time.Since(c.transferred), time.Millisecond)
}

// drop ends what was kept and has had nothing to do.
func (c *control) drop() {
	c.mu.Lock()
	c.dropping = false
	var e engine
	var ln *passive
	if c.busy == nil && !c.closed {
		idle := time.Since(c.transferred)
		if idle >= spareLife {
			ln, c.spare = c.spare, nil
		}
		if idle >= c.srv.engineLife {
			e, c.engine = c.engine, nil
		}
		if c.dropping = c.spare != nil || c.engine != nil; c.dropping {
			c.dropper.Reset(c.dropAfter())
		}
	}
	c.mu.Unlock()
	ln.shut()
	if e != nil {
		e.End()
	}
}
