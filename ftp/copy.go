package ftp

import (
	"errors"
	"io"
	"sync/atomic"
)

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

// reading counts what is read.
type reading struct {
	r io.Reader
	n *atomic.Int64
}

func (c *reading) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// copyChunks is io.Copy without its short cuts, which would go round the conversion and the
// count.
func copyChunks(w io.Writer, r io.Reader) error {
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// toCRLF ends lines as NVT-ASCII does (RFC 959 section 3.1.1.1); lines that do already stay.
type toCRLF struct {
	w   io.Writer
	cr  bool // the last byte was CR
	buf []byte
}

func (c *toCRLF) Write(p []byte) (int, error) {
	c.buf = c.buf[:0]
	for _, b := range p {
		if b == '\n' && !c.cr {
			c.buf = append(c.buf, '\r')
		}
		c.buf = append(c.buf, b)
		c.cr = b == '\r'
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
	c.buf = c.buf[:0]
	for _, b := range p {
		if c.cr && b != '\n' {
			c.buf = append(c.buf, '\r')
		}
		if c.cr = b == '\r'; !c.cr {
			c.buf = append(c.buf, b)
		}
	}
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
