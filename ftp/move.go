package ftp

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// send copies to the client: a listing, text with CRLF, or bytes as they are.
func (t *transfer) send(w io.Writer) error {
	var osf *os.File
	if t.file != nil {
		osf, _ = t.file.OS()
	}
	switch secure, ok := w.(*tls.Conn); {
	case ok:
		t.wire.gather()
		if err := t.convey(w); err != nil {
			return err
		}
		if err := secure.CloseWrite(); err != nil {
			return err
		}
		return t.wire.flush() // close_notify goes with the last record
	case t.list != nil, t.ascii, t.part, osf == nil, t.level >= 0, t.size >= 0 && t.size <= small:
		return t.convey(w)
	}
	conn, err := t.conn()
	if err != nil {
		return err
	}
	t.fast.Store(true)
	for {
		part := io.LimitedReader{R: osf, N: t.rates.portion()}
		n, err := conn.ReadFrom(&part)
		t.moved.Add(n)
		switch {
		case err != nil:
			return err
		case part.N > 0:
			return t.whole()
		case t.stopped.Load():
			return errAborted
		}
		if err := t.paced(int(n)); err != nil {
			return err
		}
	}
}

// whole reports whether all went out that the reply 150 has announced.
func (t *transfer) whole() error {
	if t.file != nil && t.size >= 0 && t.moved.Load() < t.size {
		return errShrunk
	}
	return nil
}

// convey sends all of what passes through us, as the mode says.
func (t *transfer) convey(w io.Writer) error {
	all := func(w io.Writer) error {
		if err := t.pass(&counting{w: w, n: &t.moved}); err != nil {
			return err
		}
		return t.whole()
	}
	if t.level >= 0 {
		return t.s.srv.deflates.deflated(w, t.level, all)
	}
	return all(w)
}

// pass sends what passes through us.
func (t *transfer) pass(w io.Writer) error {
	if t.list != nil {
		return t.list(w)
	}
	p := &t.s.srv.pads
	buf := p.get()
	defer p.put(buf)
	if t.ascii {
		out := p.get()
		defer p.put(out)
		text := &toCRLF{w: w, buf: *out}
		defer func() { *out = text.buf }()
		w = text
	}
	if t.size >= 0 && t.size <= pad {
		return t.once(w, (*buf)[:t.size])
	}
	portion := int(min(t.rates.portion(), pad))
	var from io.Reader = t.file
	if t.part {
		from = io.LimitReader(t.file, t.size)
	}
	return copyBuffered(w, from, (*buf)[:portion], atOnce, t.paced)
}

// once sends a small file, as long as it was when it was opened, in one piece.
func (t *transfer) once(w io.Writer, buf []byte) error {
	n, err := io.ReadFull(t.file, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if _, err = w.Write(buf[:n]); err != nil {
		return err
	}
	return t.paced(n)
}

// paced waits after n bytes as the rates say. What was gathered for TLS goes out before, and a wait
// of ours is no silence of the client.
func (t *transfer) paced(n int) error {
	pause := t.rates.take(int64(n), time.Now())
	if pause <= 0 {
		return nil
	}
	if t.wire != nil {
		if err := t.wire.flush(); err != nil {
			return err
		}
	}
	if t.heard.Load() > 0 {
		t.heard.Store(time.Now().Add(pause).UnixNano())
	}
	return sleep(t.door.ctx, pause)
}

// receive copies from the client and decides whether the end was a proper one.
func (t *transfer) receive(r io.Reader) error {
	if err := t.upload.Prepare(t.door.ctx); err != nil {
		return err
	}
	if t.span != nil {
		if err := t.span.prepare(t.door.ctx, t.upload); err != nil {
			return err
		}
	}
	t.heard.Store(time.Now().UnixNano())
	_, secure := r.(*tls.Conn)
	if t.level >= 0 {
		d := t.s.srv.deflates
		f := d.inflated(r)
		defer d.put(f)
		r = f
	}
	if err := t.take(r, secure); err != nil {
		return err
	}
	switch {
	case secure && t.wire.ended:
		return errCutOff // no close_notify: RFC 4217 section 12.6 warns of it
	case t.hungUp():
		return errAborted
	case t.allo >= 0 && !t.ascii && t.offset+t.moved.Load() < t.allo:
		return errShort
	}
	return nil
}

// take copies what the client sends, to its end.
func (t *transfer) take(r io.Reader, secure bool) error {
	if done, err := t.buffered(r, secure); done || err != nil {
		return err
	}
	conn, err := t.conn()
	if err != nil {
		return err
	}
	return t.splice(conn)
}

// buffered copies what passes through us: all of an upload, or the beginning of one that the
// kernel can go on with.
func (t *transfer) buffered(r io.Reader, secure bool) (done bool, err error) {
	p := &t.s.srv.pads
	buf := p.get()
	defer p.put(buf)
	moved := func(n int) error {
		t.moved.Add(int64(n))
		return t.paced(n)
	}
	more := atOnce
	if secure && t.level < 0 {
		more = t.wire.more
	}
	in := (*buf)[:min(t.rates.portion(), pad)]
	switch {
	case t.span != nil:
		return true, t.span.receive(t.upload, &reading{r: r, moved: moved})
	case t.ascii:
		out := p.get()
		defer p.put(out)
		text := &fromCRLF{w: t.upload, buf: *out}
		defer func() { *out = text.buf }()
		if err := copyBuffered(text, r, in, more, moved); err != nil {
			return true, err
		}
		return true, text.flush()
	case secure, t.level >= 0:
		return true, copyBuffered(t.upload, r, in, more, moved)
	}
	for t.moved.Load() < small {
		n, err := r.Read(in)
		if n > 0 {
			if _, err := t.upload.Write(in[:n]); err != nil {
				return true, err
			}
			if err := moved(n); err != nil {
				return true, err
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return true, err
		}
	}
	return false, nil
}

// splice lets the kernel move the rest of an upload.
func (t *transfer) splice(conn *net.TCPConn) error {
	t.fast.Store(true)
	for {
		part := io.LimitedReader{R: conn, N: t.rates.portion()}
		n, err := t.upload.ReadFrom(&part)
		t.moved.Add(n)
		switch {
		case err != nil:
			return err
		case part.N > 0:
			return nil
		}
		if err := t.paced(int(n)); err != nil {
			return err
		}
	}
}

// reading notes what is read.
type reading struct {
	r     io.Reader
	moved func(int) error
}

func (c *reading) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if stop := c.moved(n); err == nil {
		err = stop
	}
	return n, err
}
