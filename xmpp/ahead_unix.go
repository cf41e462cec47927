//go:build unix

package xmpp

import (
	"io"
	"net"
	"os"
	"syscall"
)

// ahead reads all that the kernel has of a connection at once, where crypto/tls would ask it for
// each record or two. While it waits it holds no buffer.
type ahead struct {
	raw      syscall.RawConn
	fill     func(fd uintptr) bool
	buf      *[batch]byte // nil while nothing is unread
	pos, end int
	err      error
}

// readAhead returns the reading side of a connection; nil where there is nothing to gain.
func readAhead(conn *net.TCPConn) io.Reader {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	a := &ahead{raw: raw}
	a.fill = a.try
	return a
}

// Read waits as the connection's own Read does, and obeys the same deadlines.
func (a *ahead) Read(b []byte) (int, error) {
	if a.pos == a.end {
		if err := a.raw.Read(a.fill); err != nil {
			return 0, err
		}
		if a.err != nil {
			return 0, a.err
		}
	}
	n := copy(b, a.buf[a.pos:a.end])
	if a.pos += n; a.pos == a.end {
		a.free()
	}
	return n, nil
}

// try reads once without waiting; false means that there is nothing yet.
func (a *ahead) try(fd uintptr) bool {
	if a.buf == nil {
		a.buf = batches.Get().(*[batch]byte)
	}
	n, err := syscall.Read(int(fd), a.buf[:])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), a.buf[:])
	}
	switch {
	case n > 0:
		a.pos, a.end, a.err = 0, n, nil
		return true
	case err == nil:
		a.err = io.EOF
	default:
		a.err = os.NewSyscallError("read", err)
	}
	a.free()
	return err != syscall.EAGAIN
}

func (a *ahead) free() {
	batches.Put(a.buf)
	a.buf, a.pos, a.end = nil, 0, 0
}
