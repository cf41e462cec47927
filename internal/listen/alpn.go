package listen

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// handshakeLimit bounds a TLS handshake where ALPN names no limit.
const handshakeLimit = 10 * time.Second

// ALPN says how one TLS port is shared among protocols (RFC 7301).
type ALPN struct {
	// Config is of the port; its NextProtos are those of the listener that Share returns.
	Config *tls.Config
	// Others take the connections of further protocols, each in the connection's own goroutine, and
	// own them from then on.
	Others map[string]func(*tls.Conn)
	// Proof gives the certificate by which a name is shown to lead here (RFC 8737), nil for a name that nobody
	// asks for; Proof nil: for none. A client that offers acme-tls/1 and nothing else gets it and is let go of:
	// its connection gets nowhere.
	Proof func(name string) *tls.Certificate
	// Within bounds a handshake; 0 is 10 s.
	Within time.Duration
	// Most is how many handshakes run at once; for one more, the oldest is ended. 0: no limit.
	Most int
	// Failed hears of each handshake that failed, before the connection is closed; may be nil.
	Failed func(conn net.Conn, err error)
	// Retry hears of pauses in accepting, as with Serve; may be nil.
	Retry func(err error, pause time.Duration)
}

// shared is the listener of Share.
type shared struct {
	net.Listener
	o     ALPN
	cfg   *tls.Config
	start sync.Once
	ready chan *tls.Conn
	done  chan struct{} // closed when nothing is accepted any more

	mu      sync.Mutex // guards what follows
	shaking list.List  // of net.Conn, the oldest first
	ended   bool
	err     error // why Accept fails
}

// Share returns a listener whose connections have shaken hands and speak a protocol of o.Config, or
// named none; those of o.Others never get there. A client that offers none of all is refused in the
// handshake. No handshake holds up another connection. Close ends the handshakes that run, and
// leaves alone what was given to others.
func Share(ln net.Listener, o ALPN) net.Listener {
	s := &shared{Listener: ln, o: o, cfg: o.Config.Clone(), ready: make(chan *tls.Conn), done: make(chan struct{}), err: net.ErrClosed}
	for name := range o.Others {
		s.cfg.NextProtos = append(s.cfg.NextProtos, name)
	}
	if s.o.Within <= 0 {
		s.o.Within = handshakeLimit
	}
	if o.Proof != nil {
		s.cfg.GetConfigForClient = s.proof
	}
	return s
}

// acmeProtocol is the protocol of TLS-ALPN-01: its handshake is all there is of it (RFC 8737 section 3).
const acmeProtocol = "acme-tls/1"

// proof gives the handshake of TLS-ALPN-01 a configuration of its own; all others have that of the port, which
// does not know the protocol: so nobody who offers it beside another, or for a name that is not looked at,
// gets it.
func (s *shared) proof(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != acmeProtocol {
		return nil, nil
	}
	cert := s.o.Proof(hello.ServerName)
	if cert == nil {
		return nil, nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acmeProtocol}, Certificates: []tls.Certificate{*cert}, SessionTicketsDisabled: true}, nil
}

// Accept returns a *tls.Conn after its handshake.
func (s *shared) Accept() (net.Conn, error) {
	s.start.Do(func() { go s.run() })
	select {
	case c := <-s.ready:
		return c, nil
	case <-s.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, s.err
	}
}

func (s *shared) run() {
	var retry []func(error, time.Duration)
	if s.o.Retry != nil {
		retry = append(retry, s.o.Retry)
	}
	s.end(Serve(s.Listener, s.shake, retry...))
}

// Close stops accepting.
func (s *shared) Close() error {
	err := s.Listener.Close()
	s.end(nil)
	return err
}

func (s *shared) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	if err != nil {
		s.err = err
	}
	close(s.done)
	for e := s.shaking.Front(); e != nil; e = e.Next() {
		_ = e.Value.(net.Conn).Close()
	}
}

// shake is a connection's goroutine.
func (s *shared) shake(raw net.Conn) {
	e := s.admit(raw)
	if e == nil {
		_ = raw.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Within)
	conn := tls.Server(raw, s.cfg)
	err := conn.HandshakeContext(ctx)
	cancel()
	s.mu.Lock()
	s.shaking.Remove(e)
	s.mu.Unlock()
	if err != nil {
		if s.o.Failed != nil {
			s.o.Failed(raw, err)
		}
		_ = raw.Close()
		return
	}
	if conn.ConnectionState().NegotiatedProtocol == acmeProtocol {
		_ = conn.Close()
		return
	}
	if take := s.o.Others[conn.ConnectionState().NegotiatedProtocol]; take != nil {
		take(conn)
		return
	}
	select {
	case s.ready <- conn:
	case <-s.done:
		_ = raw.Close()
	}
}

// admit lists a connection that shakes hands; nil once nothing is accepted any more.
func (s *shared) admit(raw net.Conn) *list.Element {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	if s.o.Most > 0 && s.shaking.Len() >= s.o.Most {
		oldest := s.shaking.Front()
		_ = oldest.Value.(net.Conn).Close()
		s.shaking.Remove(oldest) // its own goroutine removes it again, which does nothing
	}
	return s.shaking.PushBack(raw)
}
