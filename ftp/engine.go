package ftp

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	ftpserver "github.com/fclairamb/ftpserverlib"
	"github.com/spf13/afero"
)

// engine moves the bytes of one session's transfers. It holds no state between them.
type engine interface {
	// Transfer starts t; there is one at a time. t.started is called when the data connection
	// stands, then t.over exactly once, perhaps before Transfer returns.
	Transfer(t *transfer)
	// End stops the engine; a transfer must have ended before.
	End()
}

// library is ftpserverlib as an engine: a server of its own, whose one client is a connection
// inside this process. It learns no name, no offset and no address: it is told to transfer "x",
// and what it opens is what the session has already opened.
type library struct {
	s *session

	mu      sync.Mutex // guards what follows
	wake    *sync.Cond // input has come, or closed
	input   []byte
	closed  bool
	swallow int // replies that nobody wants
	current *transfer
}

// newLibrary starts the library and logs in to it.
func newLibrary(s *session) (*library, error) {
	l := &library{s: s}
	l.wake = sync.NewCond(&l.mu)
	l.input = []byte("USER x\r\nPASS x\r\n")
	l.swallow = 3 // 220, 331, 230
	server := ftpserver.NewFtpServer(&driver{library: l})
	if err := server.Listen(); err != nil {
		return nil, fmt.Errorf("starting the transfer engine: %w", err)
	}
	if err := server.Serve(); err != nil { // takes the one connection and returns
		return nil, fmt.Errorf("starting the transfer engine: %w", err)
	}
	return l, nil
}

// Transfer: see engine.
func (l *library) Transfer(t *transfer) {
	prot, verb := "C", "RETR"
	if t.prot {
		prot = "P"
	}
	if t.upload != nil {
		verb = "STOR"
	}
	l.mu.Lock()
	l.current = t
	l.swallow += 2 // of PROT and EPSV
	l.input = append(l.input, "PROT "+prot+"\r\nEPSV\r\n"+verb+" x\r\n"...)
	l.wake.Signal()
	l.mu.Unlock()
}

// End: see engine.
func (l *library) End() {
	l.mu.Lock()
	l.closed = true
	l.wake.Signal()
	l.mu.Unlock()
}

// reply takes one reply line of the library.
func (l *library) reply(text string) {
	const last = 3 // "226 …": a hyphen there means that more lines follow
	if len(text) > last && text[last] == '-' {
		return
	}
	l.mu.Lock()
	t := l.current
	switch {
	case l.swallow > 0:
		l.swallow--
		t = nil
	case !strings.HasPrefix(text, "1"):
		l.current = nil
	}
	l.mu.Unlock()
	switch {
	case t == nil:
	case strings.HasPrefix(text, "1"):
		t.started()
	default:
		t.over(strings.HasPrefix(text, "2"))
	}
}

func (l *library) transfer() *transfer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// inside is the library's end of the connection.
type inside struct{ *library }

// Read gives the library its commands.
func (c inside) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.input) == 0 && !c.closed {
		c.wake.Wait()
	}
	if len(c.input) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.input)
	c.input = c.input[n:]
	return n, nil
}

// Write takes one line: the library flushes after each.
func (c inside) Write(p []byte) (int, error) {
	c.reply(string(p))
	return len(p), nil
}

// Close is the library's last act.
func (c inside) Close() error { c.End(); return nil }

func (inside) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (inside) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (inside) SetDeadline(time.Time) error      { return nil }
func (inside) SetReadDeadline(time.Time) error  { return nil }
func (inside) SetWriteDeadline(time.Time) error { return nil }

// once is a listener that gives one connection and is then closed.
type once struct{ conn net.Conn }

func (o *once) Accept() (net.Conn, error) {
	c := o.conn
	o.conn = nil
	if c == nil {
		return nil, &net.OpError{Op: "accept", Net: "inside", Err: net.ErrClosed}
	}
	return c, nil
}

func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

// driver is what the library asks.
type driver struct {
	*library
	afero.Fs // nil: no file command reaches it
}

// GetSettings takes every limit and check from the library: they are ours.
func (d *driver) GetSettings() (*ftpserver.Settings, error) {
	return &ftpserver.Settings{
		Listener:               &once{conn: inside{d.library}},
		IdleTimeout:            -1,
		ConnectionTimeout:      int(d.s.srv.limits.FTPDataTimeout/time.Second) + 1, // of the stand-in; the door has its own
		DisableASCIIConversion: true,
		PasvConnectionsCheck:   ftpserver.IPMatchDisabled,
	}, nil
}

func (d *driver) ClientConnected(ftpserver.ClientContext) (string, error) { return "ready", nil }
func (d *driver) ClientDisconnected(ftpserver.ClientContext)              {}

// AuthUser lets the session in, whose log-in identity has checked.
func (d *driver) AuthUser(ftpserver.ClientContext, string, string) (ftpserver.ClientDriver, error) {
	return d, nil
}

// GetTLSConfig is for the data connection.
func (d *driver) GetTLSConfig() (*tls.Config, error) {
	if d.s.srv.tls == nil {
		return nil, errHandshake
	}
	return d.s.dataTLS(), nil
}

// WrapPassiveListener puts the door in the place of the library's own socket. That one stays
// open, as the library sets deadlines on it, but nobody can connect to it.
func (d *driver) WrapPassiveListener(standIn net.Listener) (net.Listener, error) {
	t := d.transfer()
	if t == nil {
		return nil, errNoConnection
	}
	if tl, ok := standIn.(*net.TCPListener); ok {
		deafen(tl)
	}
	return &doorway{t: t, standIn: standIn}, nil
}

// GetHandle gives the library what the session has opened, whatever it asks for.
func (d *driver) GetHandle(string, int, int64) (ftpserver.FileTransfer, error) {
	t := d.transfer()
	if t == nil {
		return nil, errNoConnection
	}
	return handle{t}, nil
}

// doorway is a door as the library sees it.
type doorway struct {
	t       *transfer
	standIn net.Listener
}

func (w *doorway) Accept() (net.Conn, error) {
	c, err := w.t.door.open()
	if err != nil {
		return nil, err
	}
	if w.t.prot {
		return w.t.wired(c), nil
	}
	return c, nil
}

// Close leaves the connection, which the library closes next: TLS has its close_notify to send.
func (w *doorway) Close() error {
	w.t.door.shut()
	return w.standIn.Close()
}

func (w *doorway) Addr() net.Addr { return w.standIn.Addr() }
