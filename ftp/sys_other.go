//go:build !linux

package ftp

import (
	"net"
	"syscall"
	"time"
)

// tcpState is what the kernel knows of a connection.
type tcpState struct {
	open            bool
	quiet           time.Duration
	received, acked int64
}

// askTCP tells nothing here: an upload that stalls is then ended by the idle client's own
// hang-up alone, and counters tick once a slice.
func askTCP(syscall.Conn) (tcpState, bool) { return tcpState{}, false }

// limitSending bounds the whole of a transfer's silence by keep-alive probes alone.
func limitSending(c *net.TCPConn, limit time.Duration) {
	_ = c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: limit, Interval: limit, Count: 1})
}

func urgentInline(*net.TCPConn) {}

func deafen(*net.TCPListener) {}

// emptyBacklog cannot be sure here, so each transfer has a listener of its own.
func emptyBacklog(*net.TCPListener) bool { return false }
