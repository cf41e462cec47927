package ftp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/listen"
)

// session is one control connection. Its own fields belong to the goroutine that runs commands.
type session struct {
	control
	ctx    context.Context
	cancel context.CancelFunc
	in     *lines
	gone   chan struct{}               // closed when the reader has read the last line
	work   sync.WaitGroup              // transfers and the goroutine that runs the queue
	ident  chan struct{}               // closed when the ident look-up has ended; nil: none
	log    atomic.Pointer[slog.Logger] // of logger; nil: to be made

	implicit bool // TLS from the first byte, data too
	arrived  listen.Arrived
	drainer  bool // the queue's goroutine runs this command, not the reader
	long     int  // lines that were too long
	attempts int
	name     string // USER
	named    bool
	hostName string // HOST, in lower case
	domain   string // of accounts, as HOST chose it
	tree     *files.Tree
	params   params
	pending  pending // for the next command
	given    pending // what was pending for the command that runs
	door     *door
	noted    map[string]bool // folders whose text has been shown
	verb     string          // that runs, as the policy calls it: "STOR", "SITE CHMOD"
	pbsz     bool
	epsvAll  bool
}

// params last until REIN, USER or AUTH.
type params struct {
	cwd   string
	ascii bool // TYPE A; else I or L 8
	prot  bool // PROT P
	umask int  // SITE UMASK; -1: the server's
	facts factSet
	hash  files.Algorithm // OPTS HASH

	deflate bool // MODE Z; else S
	level   int  // OPTS MODE Z LEVEL
}

// pending is what one command leaves for another.
type pending struct {
	rest, allo int64 // -1: no ALLO
	rang       *span // of RANG
	rnfr, cpfr string
}

func none() pending { return pending{allo: -1} }

// handle owns a connection from accept to close.
func (srv *Server) handle(c net.Conn, implicit bool) {
	at, ok := listen.Arrive(c)
	if !ok {
		_ = c.Close()
		return
	}
	raw, now := at.Raw, time.Now()
	s := &session{gone: make(chan struct{}), arrived: at}
	s.srv, s.raw, s.conn = srv, raw, raw
	s.opened = now
	s.loginBy, s.idle, s.idleSince = now.Add(srv.limits.LoginTimeout), srv.limits.FTPIdleTimeout, now
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if !srv.add(s) {
		_, _ = c.Write([]byte(line(421, shutdownText)))
		_ = c.Close()
		s.cancel()
		return
	}
	if s.begin(implicit) {
		s.serve(0)
		return
	}
	s.dispose()
}

// begin opens the session and greets; false where the connection is over.
func (s *session) begin(implicit bool) bool {
	srv, raw := s.srv, s.raw
	prepare(raw)
	ses, err := srv.registry.Open(s.ctx, identity.Opening{Protocol: identity.ProtocolFTP,
		Remote: s.arrived.Remote, Local: s.arrived.Local,
		State: identity.StateConnected, Holder: s})
	if err != nil {
		srv.log.Info("connection refused", "protocol", "ftp", "remote", s.arrived.Remote.String(), "error", err)
		if !implicit {
			r := replyTo(err)
			s.end(421, r.text)
			s.drain()
		}
		return false
	}
	s.mu.Lock()
	s.ses = ses
	s.mu.Unlock()
	s.implicit = implicit
	if implicit && !s.secure() {
		return false
	}
	s.reset()
	s.lookUpIdent()
	s.in = newLines(s.conn)
	s.send(s.display(220, srv.cfg.DisplayConnect) + line(220, printable(srv.name)+" FTP is ready."))
	return true
}

// serve reads commands and runs them until the connection ends, or until another goroutine takes its
// turn: where a transfer that it carries lasts, and where the client rests after the log-in.
func (s *session) serve(turn int) {
	if s.read(turn) {
		s.leave()
		s.dispose()
	}
}

// handOver lets another goroutine read on where the one that reads carries t.
func (s *session) handOver(t *transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write("") // what was held
	if s.busy == t && t.carried {
		s.turn++
		go s.serve(s.turn)
	}
}

// dispose is the end of a connection.
func (s *session) dispose() {
	s.mu.Lock()
	ses := s.ses
	s.mu.Unlock()
	if ses != nil {
		ses.Close()
	}
	_ = s.raw.Close()
	s.cancel()
	s.srv.remove(s)
}

// logger gives log lines the session's keys, with the user once there is one. It is made at the
// first line, for most sessions have none.
func (s *session) logger() *slog.Logger {
	l := s.log.Load()
	if l == nil {
		l = s.srv.log.With(slog.Any("", s.ses))
		s.log.Store(l)
	}
	return l
}

// forgetLog lets the next line say anew who the session is: a logger takes its keys as they are when
// it is made.
func (s *session) forgetLog() { s.log.Store(nil) }

// prepare sets what a control connection needs: urgent data stays in the stream, where an
// aborting client's Telnet Synch is understood, and a peer that vanished is noticed.
func prepare(raw *net.TCPConn) {
	_ = raw.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4})
	urgentInline(raw)
}

func address(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// secure puts TLS on the connection; without it the connection is over.
func (s *session) secure() bool {
	s.mu.Lock()
	s.handshaking = true
	s.mu.Unlock()
	conn, err := s.startTLS()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handshaking = false
	if err != nil {
		s.logger().Info("TLS handshake", "error", err)
		if !s.closed {
			s.cut()
		}
		return false
	}
	s.conn = conn
	s.ses.Update(func(d *identity.Details) { d.TLS = tlsName(conn) })
	return !s.closed
}

// read takes lines until the connection ends; false where another goroutine reads on.
func (s *session) read(turn int) bool {
	for s.next(turn) {
	}
	s.mu.Lock()
	last := s.turn == turn
	s.mu.Unlock()
	if last {
		close(s.gone)
	}
	return last
}

// next takes one line and runs it; false: there is no more for this goroutine.
func (s *session) next(turn int) bool {
	s.mu.Lock()
	s.deadline()
	if s.grown && !s.closed {
		soon := time.Now().Add(restAfter)
		if at, _ := s.limit(); at.IsZero() || soon.Before(at) {
			_ = s.conn.SetReadDeadline(soon)
		}
	}
	s.mu.Unlock()
	raw, err := s.in.next()
	var c command
	switch {
	case err == nil:
		c, err = parseLine(raw)
	case errors.Is(err, errLineLong):
		s.long++
		c.fault = "The line is longer than 4096 bytes."
		if s.long > 1 {
			s.end(421, "Lines are too long; closing.")
		}
		err = nil
	}
	var ne net.Error
	switch {
	case s.isClosed():
		return false
	case errors.Is(err, errLineHTTP), errors.Is(err, errLineTLS):
		s.end(421, "This is an FTP server.")
		return false
	case errors.As(err, &ne) && ne.Timeout():
		return s.timedOut() && !s.rest(turn)
	case err != nil:
		return false
	}
	s.ses.Touch()
	s.dispatch(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.turn == turn
}

// rest lets another goroutine read on where the client is silent after a log-in: that needs a deep
// stack, which a session that does nothing would keep. False where there is no need.
func (s *session) rest(turn int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.grown || s.closed || s.turn != turn {
		return false
	}
	s.grown = false
	s.turn++
	go s.serve(s.turn)
	return true
}

func (s *session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// dispatch runs a command now, or lets it wait for the end of a transfer.
func (s *session) dispatch(c command) {
	v := s.srv.verbs[c.verb]
	if v.now != nil && c.arg == "" && s.permitted(c.verb, v) {
		c.now = v.now
	}
	s.mu.Lock()
	s.idleSince = time.Now()
	if !s.waiting() {
		s.mu.Unlock()
		s.drainer = false
		s.run(c)
		return
	}
	if c.now != nil && s.running() {
		s.mu.Unlock()
		c.now(&s.control, c.arg)
		return
	}
	full := len(s.queue) >= queueLength
	if !full {
		s.queue = append(s.queue, c)
		s.quitting = s.quitting || c.verb == "QUIT"
	}
	s.mu.Unlock()
	if full {
		s.end(421, "Too many commands are waiting; closing.")
	}
}

// overtaking takes out of the queue what overtakes what is beginning: an ABOR that came while its
// transfer waited means that one. mu is held.
func (c *control) overtaking() (all []command) {
	c.queue = slices.DeleteFunc(c.queue, func(x command) bool {
		if x.now != nil {
			all = append(all, x)
		}
		return x.now != nil
	})
	return all
}

// drainQueue runs what has waited, until it is empty or a transfer begins.
func (s *session) drainQueue() {
	defer s.work.Done()
	for {
		s.mu.Lock()
		if s.closed || s.running() || len(s.queue) == 0 {
			s.draining = false
			s.idleSince = time.Now()
			s.deadline()
			stop := s.stopping && !s.waiting()
			s.mu.Unlock()
			if stop {
				s.end(421, shutdownText)
			}
			return
		}
		c := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		s.drainer = true
		s.run(c)
	}
}

// leave ends what still runs when the last line has been read. A client that said QUIT and hung
// up gets its transfer done first; any other that hung up has broken it off.
func (s *session) leave() {
	s.mu.Lock()
	if s.running() && (s.closed || !s.quitting) {
		s.closed = true
		s.stop()
	}
	if !s.waiting() || !s.quitting {
		s.closed = true
	}
	s.mu.Unlock()
	s.work.Wait()
	s.cancel()
	s.shut()
	s.mu.Lock()
	s.closed = true
	e, ln := s.engine, s.spare
	s.engine, s.spare = nil, nil
	if s.dropper != nil {
		s.dropper.Stop()
	}
	s.mu.Unlock()
	ln.shut()
	if e != nil {
		e.End()
	}
	s.drain()
	if s.ident != nil {
		<-s.ident
	}
}

// drain reads away what a client still sends after the last reply, as long as finish allows.
func (s *session) drain() {
	s.mu.Lock()
	said := s.said
	s.mu.Unlock()
	const most = 1 << 20
	if said {
		_, _ = io.Copy(io.Discard, io.LimitReader(s.raw, most))
	}
}

// shut closes the prepared data connection.
func (s *session) shut() {
	if s.door != nil {
		s.door.cut()
		s.door = nil
	}
}

// reset makes everything new but the connection (RFC 959 section 4.1.1, REIN): who is logged in,
// parameters, and the prepared data connection.
func (s *session) reset() {
	s.shut()
	s.name, s.named, s.tree = "", false, nil
	s.hostName, s.domain, s.noted = "", "", nil
	s.params = params{cwd: "/", ascii: true, umask: -1, facts: allFacts, hash: firstHash, level: firstLevel}
	s.pending, s.epsvAll = none(), false
	s.params.prot, s.pbsz = s.implicit, s.implicit
	s.mu.Lock()
	was := s.loggedIn
	if was {
		s.loggedIn = false
		s.loginBy = time.Now().Add(s.srv.limits.LoginTimeout)
		s.attempts = 0
	}
	s.idle = s.srv.limits.FTPIdleTimeout
	s.mu.Unlock()
	if was {
		s.srv.identity.Forget(s.ses)
		s.forgetLog()
	}
	s.ses.Update(func(d *identity.Details) { d.State, d.Doing = identity.StateConnected, "" })
}

// SessionEnded is identity's word that the session is over: the client hears 421 at once, also
// in a transfer, whose upload stays a part.
func (s *session) SessionEnded(r identity.Reason) {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	if _, live := s.srv.sessions[s]; !live {
		return
	}
	s.srv.handlers.Add(1)
	go func() {
		defer s.srv.handlers.Done()
		s.end(421, reasonText(r))
		s.cancel()
	}()
}

// SessionChanged is for what runs: rights are read at each use, and a transfer is a long one. One that
// may not go on is broken off, and the session goes on.
func (s *session) SessionChanged() {
	s.mu.Lock()
	t := s.busy
	s.mu.Unlock()
	if t == nil || t.still() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy == t && !s.control.closed {
		t.lost.Store(true)
		t.abort()
	}
}
