package ftp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// bare is a data connection that the runtime does not watch: for a file of some kilobytes its
// registration with epoll, what epoll then wakes, and the options of a socket cost more than the
// file. It never waits for longer than what is left of a moment; should the client not be ready
// then, it becomes a *net.TCPConn. It is for the goroutine of its transfer; who cuts the door is
// heard at the next read or write.
type bare struct {
	door  *door
	waits waits
	fd    int          // -1: closed, or conn has taken over
	conn  *net.TCPConn // nil: not yet needed
	until time.Time    // when the moment is over
}

// bare accepts a client that has already connected; nil: there is none, or it is to be dialled.
func (d *door) bare(w waits) *bare {
	d.mu.Lock()
	ln, isShut := d.ln, d.isShut
	d.mu.Unlock()
	if ln == nil || isShut || d.proxy != nil { // a PROXY header may have to be waited for
		return nil
	}
	for {
		fd, from, err := acceptNow(ln.TCPListener)
		if err != nil {
			return nil // the ordinary way finds out what is wrong
		}
		if d.peer.IsValid() && from != d.peer {
			_ = unix.Close(fd)
			continue
		}
		if !d.came() {
			_ = unix.Close(fd)
			return nil
		}
		return &bare{door: d, waits: w, fd: fd, until: time.Now().Add(moment)}
	}
}

// acceptNow accepts who waits, and does not wait itself.
func acceptNow(l *net.TCPListener) (fd int, from netip.Addr, err error) {
	err = unix.EINVAL
	withDescriptor(l, func(at int) {
		var sa unix.Sockaddr
		fd, sa, err = unix.Accept4(at, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		switch sa := sa.(type) {
		case *unix.SockaddrInet4:
			from = netip.AddrFrom4(sa.Addr)
		case *unix.SockaddrInet6:
			from = netip.AddrFrom16(sa.Addr).Unmap()
		}
	})
	return fd, from, err
}

// tcp gives the connection to the runtime, and to the door, which can then end it.
func (b *bare) tcp() (*net.TCPConn, error) {
	if b.conn != nil {
		return b.conn, nil
	}
	if b.fd < 0 {
		return nil, net.ErrClosed
	}
	f := os.NewFile(uintptr(b.fd), "data")
	b.fd = -1
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		_ = c.Close()
		return nil, errNoConnection
	}
	_ = t.SetKeepAlive(false) // as plainListen says
	if t, err = b.door.take(t); err != nil {
		return nil, err
	}
	b.conn = t
	return t, nil
}

// Read waits until something has come, or the end.
func (b *bare) Read(p []byte) (int, error) {
	for b.conn == nil {
		if err := b.usable(); err != nil {
			return 0, err
		}
		n, err := unix.Read(b.fd, p)
		switch {
		case err == nil && n == 0 && len(p) > 0:
			return 0, io.EOF
		case err == nil:
			return n, nil
		case err == unix.EAGAIN:
			if b.wait() {
				continue
			}
			if _, err := b.tcp(); err != nil {
				return 0, err
			}
		case err != unix.EINTR:
			return 0, os.NewSyscallError("read", err)
		}
	}
	return b.conn.Read(p)
}

// Write waits until everything is in the kernel's buffer.
func (b *bare) Write(p []byte) (n int, err error) {
	for b.conn == nil {
		if err := b.usable(); err != nil || n == len(p) {
			return n, err
		}
		k, err := unix.SendmsgN(b.fd, p[n:], nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == nil:
			n += k
		case err == unix.EAGAIN:
			if _, err := b.tcp(); err != nil {
				return n, err
			}
		case err != unix.EINTR:
			return n, os.NewSyscallError("write", err)
		}
	}
	k, err := b.conn.Write(p[n:])
	return n + k, err
}

func (b *bare) usable() error {
	if b.fd < 0 || !b.door.wanted() {
		return net.ErrClosed
	}
	return nil
}

// wait blocks the thread until there is something to read; false: it may not, or the moment is over.
func (b *bare) wait() bool {
	left := time.Until(b.until).Milliseconds()
	if left <= 0 || !b.waits.enter() {
		return false
	}
	defer b.waits.leave()
	fds := []unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(left))
	return n > 0 || errors.Is(err, unix.EINTR)
}

// reset has the connection end with an error on the client's side.
func (b *bare) reset() {
	if b.fd >= 0 {
		_ = unix.SetsockoptLinger(b.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		_ = b.Close()
	}
}

// Close closes it; closing twice is fine.
func (b *bare) Close() error {
	if b.conn != nil {
		return b.conn.Close()
	}
	if b.fd < 0 {
		return nil
	}
	err := unix.Close(b.fd)
	b.fd = -1
	return err
}
