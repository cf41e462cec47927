package ftp

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"trivium/identity"
)

// framed is a control connection under TLS that may end while the connection goes on: it gives
// crypto/tls one record at a time (RFC 8446 section 5.1), so that nothing is lost in there of what
// follows the last.
type framed struct {
	*net.TCPConn
	head [5]byte // type, version, length
	got  int     // of head
	left int     // of the record
}

// Read reads no further than the end of the record, or of its head.
func (f *framed) Read(p []byte) (int, error) {
	if f.left > 0 {
		n, err := f.TCPConn.Read(p[:min(len(p), f.left)])
		f.left -= n
		return n, err
	}
	n, err := f.TCPConn.Read(p[:min(len(p), len(f.head)-f.got)])
	copy(f.head[f.got:], p[:n])
	if f.got += n; f.got == len(f.head) {
		f.got, f.left = 0, int(binary.BigEndian.Uint16(f.head[3:]))
	}
	return n, err
}

// clearable reports whether CCC may be used at all.
func (s *Server) clearable() bool { return s.tls != nil && s.cfg.TLS != "required" }

// underTLS is what crypto/tls reads the control connection from.
func (s *session) underTLS() net.Conn {
	if s.srv.clearable() {
		return &framed{TCPConn: s.raw}
	}
	return s.raw
}

// clearControl is CCC (RFC 2228 section 3): after the reply both sides end TLS on the control
// connection, with close_notify each (RFC 4217 section 12.3), and go on in the clear, which
// firewalls that read along ask for. Data connections stay as PROT has them. Only the reader may
// run it, for it takes the stream over.
func (s *session) clearControl(string) {
	s.mu.Lock()
	conn, ok := s.conn.(*tls.Conn)
	s.mu.Unlock()
	switch {
	case !ok:
		s.reply(503, "The control connection is in the clear.")
		return
	case !s.srv.clearable(), s.ses.Class().TLSRequired:
		s.reply(534, "The control connection must stay under TLS here.")
		return
	case s.drainer, s.in.buffered() > 0:
		s.reply(503, "Not while other commands wait; send it again, alone.")
		return
	}
	s.mu.Lock()
	s.write(line(200, "In the clear from now on."))
	s.handshaking = true // nothing may be written until the client has ended TLS too
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return
	}
	err := endTLS(conn, s.srv.limits.TLSTimeout)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handshaking = false
	if s.closed {
		return
	}
	if err != nil {
		s.logger().Info("end of TLS", "error", err)
		s.cut()
		return
	}
	s.conn = s.raw
	s.in = newLines(s.raw)
	s.ses.Update(func(d *identity.Details) { d.TLS = "" })
}

// errNotEnded is a client that goes on in TLS after CCC.
var errNotEnded = errors.New("the client did not end TLS after CCC")

// endTLS sends close_notify and waits for the client's.
func endTLS(conn *tls.Conn, limit time.Duration) error {
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	var one [1]byte
	n, err := conn.Read(one[:])
	switch {
	case n > 0:
		return errNotEnded
	case errors.Is(err, io.EOF):
		return nil // or it has hung up, which the next read finds
	}
	return err
}
