package ftp

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tcpState is what the kernel knows of a connection.
type tcpState struct {
	open            bool          // neither side has closed it
	quiet           time.Duration // since the last data came
	received, acked int64         // bytes
}

// askTCP asks the kernel; false where it does not tell.
func askTCP(c syscall.Conn) (tcpState, bool) {
	var info *unix.TCPInfo
	var err error
	if !withDescriptor(c, func(fd int) { info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO) }) || err != nil {
		return tcpState{}, false
	}
	return tcpState{
		open:     info.State == unix.BPF_TCP_ESTABLISHED,
		quiet:    time.Duration(info.Last_data_recv) * time.Millisecond,
		received: int64(info.Bytes_received),
		acked:    int64(info.Bytes_acked),
	}, true
}

// limitSending ends a connection whose peer takes nothing for so long, in the kernel, so that
// sendfile is not touched.
func limitSending(c *net.TCPConn, limit time.Duration) {
	withDescriptor(c, func(fd int) {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
	})
}

// urgentInline leaves urgent data in the stream.
func urgentInline(c *net.TCPConn) {
	withDescriptor(c, func(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1) })
}

// deafen lets nobody connect to a listener that stays open.
func deafen(l *net.TCPListener) {
	withDescriptor(l, func(fd int) { _ = unix.Shutdown(fd, unix.SHUT_RDWR) })
}

// withDescriptor runs f with the descriptor; false where there is none.
func withDescriptor(c syscall.Conn, f func(fd int)) bool {
	rc, err := c.SyscallConn()
	return err == nil && rc.Control(func(fd uintptr) { f(int(fd)) }) == nil
}

// emptyBacklog closes what waits to be accepted; false where that is not known.
func emptyBacklog(l *net.TCPListener) bool {
	empty := false
	ok := withDescriptor(l, func(fd int) {
		for {
			// Asked first, as to accept nobody costs several times as much.
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			if n > 0 {
				var c int
				if c, _, err = unix.Accept4(fd, unix.SOCK_CLOEXEC); err == nil {
					_ = unix.Close(c)
				}
			}
			empty = n == 0 && err == nil
			if empty || err != nil && err != unix.EINTR && err != unix.EAGAIN && err != unix.ECONNABORTED {
				return
			}
		}
	})
	return ok && empty
}
