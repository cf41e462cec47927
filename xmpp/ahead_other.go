//go:build !unix

package xmpp

import (
	"io"
	"net"
)

// readAhead is for systems whose connections can be read without waiting.
func readAhead(*net.TCPConn) io.Reader { return nil }
