package ftp

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// pad is the size of a lent buffer: large enough that a system call moves several TLS records,
// small enough that a thousand transfers at once hold no more than some 200 MiB.
const pad = 64 << 10

// pads lends buffers of pad bytes to transfers, so that an idle session holds none.
type pads struct{ pool sync.Pool }

func (p *pads) get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, pad)
	return &b
}

// put takes a buffer back, also one that was grown.
func (p *pads) put(b *[]byte) {
	*b = (*b)[:pad]
	p.pool.Put(b)
}

// counting counts what is written.
type counting struct {
	w io.Writer
	n *atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// copyBuffered copies r to w through buf, without the short cuts of io.Copy, which would go round
// the conversion and the count. moved is told what each read has brought, and its error ends the
// copy. Reads are gathered in buf while more says that another costs no waiting.
func copyBuffered(w io.Writer, r io.Reader, buf []byte, more func() bool, moved func(int) error) error {
	for held := 0; ; {
		n, err := r.Read(buf[held:])
		held += n
		stop := moved(n)
		if held > 0 && (err != nil || stop != nil || held == len(buf) || !more()) {
			if _, err := w.Write(buf[:held]); err != nil {
				return err
			}
			held = 0
		}
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		case stop != nil:
			return stop
		}
	}
}

// copyChunks is copyBuffered with a buffer of its own.
func copyChunks(w io.Writer, r io.Reader) error {
	return copyBuffered(w, r, make([]byte, chunk), atOnce, func(int) error { return nil })
}

// atOnce is for copyBuffered where nothing is gathered.
func atOnce() bool { return false }

// toCRLF ends lines as NVT-ASCII does (RFC 959 section 3.1.1.1); lines that do already stay.
type toCRLF struct {
	w   io.Writer
	cr  bool // the last byte was CR
	buf []byte
}

func (c *toCRLF) Write(p []byte) (int, error) {
	c.buf = c.buf[:0]
	rest := p
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		if i > 0 {
			c.cr = rest[i-1] == '\r'
		}
		c.buf = append(c.buf, rest[:i]...)
		if c.cr {
			c.buf = append(c.buf, '\n')
		} else {
			c.buf = append(c.buf, '\r', '\n')
		}
		c.cr = false
		rest = rest[i+1:]
	}
	if len(rest) > 0 {
		c.buf = append(c.buf, rest...)
		c.cr = rest[len(rest)-1] == '\r'
	}
	if _, err := c.w.Write(c.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// fromCRLF ends lines with LF; a CR alone stays.
type fromCRLF struct {
	w   io.Writer
	cr  bool // a CR is held back
	buf []byte
}

func (c *fromCRLF) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.buf = c.buf[:0]
	if c.cr && p[0] != '\n' {
		c.buf = append(c.buf, '\r')
	}
	rest := p
	for {
		i := bytes.IndexByte(rest, '\r')
		if c.cr = i >= 0 && i+1 == len(rest); i < 0 || c.cr {
			break
		}
		c.buf = append(c.buf, rest[:i]...)
		if rest[i+1] != '\n' {
			c.buf = append(c.buf, '\r')
		}
		rest = rest[i+1:]
	}
	if c.cr {
		rest = rest[:len(rest)-1]
	}
	c.buf = append(c.buf, rest...)
	if _, err := c.w.Write(c.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes a CR at the very end.
func (c *fromCRLF) flush() error {
	if !c.cr {
		return nil
	}
	c.cr = false
	_, err := c.w.Write([]byte{'\r'})
	return err
}
