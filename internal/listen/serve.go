package listen

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// The pause after an accept that failed for want of something grows from minPause to maxPause. The
// latter also bounds how long Serve takes to see that its listener was closed meanwhile.
const (
	minPause = 5 * time.Millisecond
	maxPause = 500 * time.Millisecond
)

// Serve accepts on ln and runs handle for each connection in a goroutine of its own; handle owns
// the connection and must close it. Serve answers nil once ln was closed, with handlers perhaps
// still running. When the system is short of descriptors or memory it waits a little and goes on,
// and tells each of retry before it waits; any other error of accepting is answered.
func Serve(ln net.Listener, handle func(net.Conn), retry ...func(err error, pause time.Duration)) error {
	var pause time.Duration
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			go handle(c)
		case errors.Is(err, net.ErrClosed):
			return nil
		case passes(err):
			pause = min(max(2*pause, minPause), maxPause)
			for _, f := range retry {
				f(err, pause)
			}
			time.Sleep(pause)
		default:
			return fmt.Errorf("accepting on %s: %w", ln.Addr(), err)
		}
	}
}

// passes reports whether an error of accept(2) goes away by itself. Errors of the connection that
// was to be accepted count too (accept(2), "Error handling").
func passes(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EPROTO, syscall.EPERM, syscall.ENETDOWN,
		syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.ENONET, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.EINTR, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
