package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"trivium/files"
	"trivium/identity"
)

const (
	// slice is how much one sendfile moves before counters tick and a stop is looked for.
	slice = 8 << 20
	// chunk is the buffer where bytes pass through us: TYPE A, listings, TLS.
	chunk = 32 << 10
	// tick is how often the counters of a transfer on the fast path follow the kernel's.
	tick = time.Second
)

// transfer is one RETR, STOR or listing: what the engine takes for a file.
type transfer struct {
	s     *session
	door  *door
	doing string // for people: "STOR /a.iso"
	verb  string
	path  string // as the client sees it
	size  int64  // bytes that it will move; -1: nobody knows
	begin string // text of the 150
	ascii bool
	prot  bool

	// One of three; list beside file writes what is to be sent of it.
	file   *files.File
	upload *files.Upload
	list   func(io.Writer) error

	span *span // of RANG; nil: all of the file

	offset  int64
	allo    int64 // -1: nothing was said
	settled func(files.Info)

	stopped atomic.Bool // by ABOR, a hang-up, an end of the session
	halted  atomic.Bool // by an administrator
	moved   atomic.Int64
	fast    atomic.Bool // the kernel moves the bytes, and knows how many
	began   time.Time
	meter   *meter
	err     error // the engine's goroutine
	stood   bool  // a data connection was there; the engine's goroutine
	closed  bool  // what was opened is settled; the engine's goroutine
	aborts  int   // ABORs that wait for an answer; guarded by control.mu
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

// meter carries progress into the session's counters while the transfer runs.
type meter struct {
	t *transfer

	mu      sync.Mutex // guards what follows
	counted int64
	timer   *time.Timer
	done    bool
	pace    pace
}

func newMeter(t *transfer) *meter {
	m := &meter{t: t, pace: pace{at: t.began}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timer = time.AfterFunc(tick, m.tick)
	return m
}

func (m *meter) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.done {
		n := m.t.progress()
		m.count(n)
		m.t.tell(n, m.pace.step(n, time.Now()))
		m.timer.Reset(tick)
	}
}

// count notes that n bytes have been moved in all; mu is held.
func (m *meter) count(n int64) {
	more := n - m.counted
	if more <= 0 {
		return
	}
	m.counted = n
	if m.t.upload != nil {
		m.t.s.ses.CountIn(more)
	} else {
		m.t.s.ses.CountOut(more)
	}
}

func (m *meter) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = true
	m.timer.Stop()
	m.count(m.t.moved.Load())
}

// handle is a transfer as the library sees it. Bytes go by WriteTo and ReadFrom alone.
type handle struct{ *transfer }

func (handle) Read([]byte) (int, error)       { return 0, io.EOF }
func (handle) Write(p []byte) (int, error)    { return len(p), nil } // of no bytes, after an empty upload
func (handle) Seek(int64, int) (int64, error) { return 0, nil }

// WriteTo sends to the data connection.
func (h handle) WriteTo(w io.Writer) (int64, error) {
	t := h.transfer
	conn := t.door.tcp()
	if conn == nil {
		return 0, errNoConnection
	}
	limitSending(conn, t.s.srv.limits.FTPStallTimeout)
	t.err = t.shake(w)
	if t.err == nil {
		t.err = t.send(w, conn)
	}
	return t.moved.Load(), t.err
}

// ReadFrom receives from the data connection.
func (h handle) ReadFrom(r io.Reader) (int64, error) {
	t := h.transfer
	conn := t.door.tcp()
	if conn == nil {
		return 0, errNoConnection
	}
	t.err = t.shake(r)
	if t.err == nil {
		t.err = t.receive(r, conn)
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

// send copies to the client: a listing, text with CRLF, or bytes as they are.
func (t *transfer) send(w io.Writer, conn *net.TCPConn) error {
	counted := &counting{w: w, n: &t.moved}
	_, secure := w.(*tls.Conn)
	var osf *os.File
	if t.file != nil {
		osf, _ = t.file.OS()
	}
	switch {
	case t.list != nil:
		return t.list(counted)
	case t.ascii:
		return copyChunks(&toCRLF{w: counted}, t.file)
	case secure || osf == nil:
		return copyChunks(counted, t.file)
	}
	t.fast.Store(true)
	for {
		part := io.LimitedReader{R: osf, N: slice}
		n, err := conn.ReadFrom(&part)
		t.moved.Add(n)
		switch {
		case err != nil:
			return err
		case part.N > 0:
			return nil
		case t.stopped.Load():
			return errAborted
		}
	}
}

// receive copies from the client and decides whether the end was a proper one.
func (t *transfer) receive(r io.Reader, conn *net.TCPConn) error {
	stop := limitReceiving(conn, t.s.srv.limits.FTPStallTimeout)
	defer stop()
	_, secure := r.(*tls.Conn)
	var err error
	switch {
	case t.span != nil:
		err = t.span.receive(t.upload, &reading{r: r, n: &t.moved})
	case t.ascii:
		text := &fromCRLF{w: t.upload}
		err = copyChunks(text, &reading{r: r, n: &t.moved})
		if err == nil {
			err = text.flush()
		}
	case secure:
		err = copyChunks(t.upload, &reading{r: r, n: &t.moved})
	default:
		t.fast.Store(true)
		var n int64
		n, err = t.upload.ReadFrom(conn)
		t.moved.Store(n)
	}
	switch {
	case err != nil:
		return err
	case secure && t.door.ended():
		return errCutOff // no close_notify: RFC 4217 section 12.6 warns of it
	case t.hungUp():
		return errAborted
	case t.allo >= 0 && !t.ascii && t.offset+t.moved.Load() < t.allo:
		return errShort
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
			if err := t.span.fill(t.upload, t.moved.Load()); err != nil {
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
	if t.offset == 0 && (ours || t.moved.Load() == 0) || t.span != nil {
		return errors.Join(err, t.upload.Discard()) // there is no space for it, or nothing to keep
	}
	return errors.Join(err, t.upload.Suspend())
}

// started is the engine's word that the data connection stands.
func (t *transfer) started() {
	t.stood = true
	t.s.reply(150, t.begin)
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
	t.meter.stop()
	t.s.ended(t)
}

// start begins a transfer over the prepared data connection; the last reply comes from ended.
func (s *session) start(t *transfer) {
	t.s, t.door, t.prot, t.began = s, s.door, s.params.prot, time.Now()
	s.door = nil
	t.meter = newMeter(t)
	s.mu.Lock()
	var err error
	if s.closed {
		err = errAborted
	} else if s.engine == nil {
		s.engine, err = s.newEngine()
	}
	if err != nil {
		s.mu.Unlock()
		t.err = err
		_ = handle{t}.Close()
		t.meter.stop()
		t.door.cut()
		s.log.Error("transfer engine", "error", err)
		s.reply(failed.code, failed.text)
		return
	}
	s.busy = t
	s.work.Add(1)
	e := s.engine
	s.deadline()
	s.mu.Unlock()
	s.ses.Update(func(d *identity.Details) {
		d.State, d.Doing, d.Transfer = identity.StateTransfer, t.doing, t.live(0, 0)
	})
	e.Transfer(t)
}

func (c *control) newEngine() (engine, error) { return newLibrary(c.srv, c.ses.ID()) }

// ended gives the last reply of a transfer and the answers to ABOR, and lets go on what has
// waited, in one moment.
func (s *session) ended(t *transfer) {
	defer s.work.Done()
	t.door.release()
	a := transferReply(t.err)
	if t.halted.Load() && errors.Is(t.err, errAborted) {
		a.text = haltedText
	}
	log := s.log.With("doing", t.doing, "bytes", t.moved.Load(), "took_ms", time.Since(t.began).Milliseconds(), "code", a.code)
	switch {
	case t.err == nil:
		log.Info("transfer done")
	case a == failed:
		log.Error("transfer failed", "error", t.err)
	default:
		log.Info("transfer broken off", "error", t.err)
	}
	s.ses.Update(func(d *identity.Details) {
		d.Doing, d.Transfer = "", nil
		if d.State == identity.StateTransfer {
			d.State = identity.StateReady
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	text := line(a.code, a.text)
	for range t.aborts {
		text += line(226, "Stopped.")
	}
	s.write(text)
	s.busy = nil
	s.idleSince = time.Now()
	s.engineUsed = s.idleSince
	s.goOn()
	if s.dropper == nil {
		s.dropper = time.AfterFunc(s.srv.engineLife, s.dropEngine)
	} else {
		s.dropper.Reset(s.srv.engineLife)
	}
}

// dropEngine ends an engine that has had nothing to do.
func (c *control) dropEngine() {
	c.mu.Lock()
	e := c.engine
	if e == nil || c.busy != nil || time.Since(c.engineUsed) < c.srv.engineLife {
		c.mu.Unlock()
		return
	}
	c.engine = nil
	c.mu.Unlock()
	e.End()
}
