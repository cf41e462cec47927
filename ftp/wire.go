package ftp

import (
	"errors"
	"io"
	"net"
	"time"
)

// wire is a data connection under TLS. It reads more than one record at a time, gathers the
// records of a download so that several go out in one write, and notes the end of the stream, for
// crypto/tls takes an end without close_notify for a proper one where a record ends there, and an
// upload must not. It is for one goroutine, but for Close.
type wire struct {
	*net.TCPConn
	pads *pads

	in       *[]byte // nil: nothing has been read yet
	from, to int     // what of it has not been given yet
	ended    bool    // the client's side has ended on the TCP level

	out    *[]byte // nil: writes go through
	filled int
}

// Read gives what has been read, or reads as much as there is room for.
func (w *wire) Read(p []byte) (int, error) {
	if err := w.flush(); err != nil { // the client may be waiting for it
		return 0, err
	}
	if w.from == w.to {
		if w.in == nil {
			w.in = w.pads.get()
		}
		n, err := w.TCPConn.Read(*w.in)
		w.from, w.to = 0, n
		if n == 0 {
			w.ended = w.ended || errors.Is(err, io.EOF)
			return 0, err
		}
	}
	n := copy(p, (*w.in)[w.from:w.to])
	w.from += n
	return n, nil
}

// more reports whether a read would not wait.
func (w *wire) more() bool { return w.from < w.to }

// gather holds writes back until flush.
func (w *wire) gather() { w.out = w.pads.get() }

// Write holds p back while there is room.
func (w *wire) Write(p []byte) (int, error) {
	if w.out == nil {
		return w.TCPConn.Write(p)
	}
	if w.filled+len(p) > len(*w.out) {
		if err := w.flush(); err != nil {
			return 0, err
		}
		if len(p) > len(*w.out) {
			return w.TCPConn.Write(p)
		}
	}
	w.filled += copy((*w.out)[w.filled:], p)
	return len(p), nil
}

// flush writes what was held back.
func (w *wire) flush() error {
	if w.filled == 0 {
		return nil
	}
	held := (*w.out)[:w.filled]
	w.filled = 0
	_, err := w.TCPConn.Write(held)
	return err
}

// SetWriteDeadline leaves out those that crypto/tls sets around its close_notify, which bound
// nothing while writes are held back.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.out != nil {
		return nil
	}
	return w.TCPConn.SetWriteDeadline(t)
}

// release gives the buffers back when nobody reads or writes any more.
func (w *wire) release() {
	for _, b := range []**[]byte{&w.in, &w.out} {
		if *b != nil {
			w.pads.put(*b)
			*b = nil
		}
	}
	w.from, w.to, w.filled = 0, 0, 0
}
