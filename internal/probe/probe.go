package probe

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// State is what a step has come to.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning" // it works, and something should be seen to
	Failed  State = "failed"
	Skipped State = "skipped" // it could not be tried; Why says the reason
)

// The time that a probe takes at most, and each of its steps.
const (
	Whole   = 15 * time.Second
	perStep = 5 * time.Second
	perDial = 2 * time.Second // of one address; several are tried at once
)

// Step is one thing that was tried. Detail is what was seen; Why is what it means to clients, or why a step
// was skipped, and Fix what to do. All are plain text for people, without secrets.
type Step struct {
	ID, Title string
	State     State
	Detail    string
	Why, Fix  string
	Took      time.Duration
	Lines     []string // what was said: "> " went to the server, "< " came from it; secrets are left out
}

// Login is the credential of a probe.
type Login struct {
	User   string
	Secret func() string // a function, so that printing a target shows no secret; nil: no log-in is tried
}

// Resolver is what probes need of the DNS; *net.Resolver meets it.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// Target is what every probe is told.
type Target struct {
	Host string // the public name, or an address
	Port string
	Own  string // host:port of the listener itself, for where the name does not lead here; "" has none
	Login
	Mine     func(*x509.Certificate) bool // whether a certificate is this server's; nil: none is
	Roots    *x509.CertPool               // nil: the system's
	Resolver Resolver                     // nil: the system's

	warned *x509.Certificate // what people were told of already
}

// FTPTarget is a server of FTP.
type FTPTarget struct {
	Target
	TLS          string // "explicit", "implicit" (of Port itself) or "none"
	PassivePorts string // as configured, for advice; "" is unknown
	Implicit     string // port of a second listener, with implicit TLS; "" has none
	ImplicitOwn  string // as Own, for it
}

// XMPPTarget is a server of XMPP for clients. Host is the domain of the account; SRV records decide where
// its server is.
type XMPPTarget struct {
	Target
	TLS       string // "starttls" or "direct" (of Port itself)
	Direct    string // port of a second listener, with direct TLS; "" has none
	DirectOwn string // as Own, for it
	WebSocket string // its address (ws or wss); "" has none
	WebOwn    string // as Own, for it
	HostMeta  string // address of the document of RFC 6415; "" has none
}

// DAVTarget is a folder over WebDAV.
type DAVTarget struct {
	Target        // Host and Port are those of URL, and need not be set
	URL    string // of the folder, with the slash at its end
	Write  string // folder below it in which a small file is made and removed again; "" leaves that out
	Resume string // address below which uploads are resumed by HEAD and PATCH; "" leaves that out
}

// APITarget is the REST interface.
type APITarget struct {
	Target        // as of DAVTarget
	URL    string // of an operation that shows a person something of their own
}

// run carries a probe from step to step. It has one goroutine.
type run struct {
	ctx    context.Context
	target Target
	report func(Step)
	stuck  string // why nothing further can be tried; "" while it can
}

// wire is a connection on which a probe talks; nil while there is none.
type wire struct{ net.Conn }

// leave says goodbye without waiting.
func (w *wire) leave(bye string) {
	if w.Conn != nil {
		_ = w.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(w, bye)
		_ = w.Close()
		w.Conn = nil
	}
}

// deadline is that of ctx.
func (w *wire) deadline(ctx context.Context) {
	if d, ok := ctx.Deadline(); ok && w.Conn != nil {
		_ = w.SetDeadline(d)
	}
}

// begin bounds the whole probe; done must be called.
func begin(ctx context.Context, t Target, report func(Step)) (r *run, done func()) {
	ctx, cancel := context.WithTimeout(ctx, Whole)
	return &run{ctx: ctx, target: t, report: report}, cancel
}

// step tries one thing within its time, and reports it. What f leaves without a state is OK. After a
// step that failed f may say by r.stop that the ones after it are out of the question.
func (r *run) step(id, title string, f func(ctx context.Context, s *Step)) State {
	s := Step{ID: id, Title: title}
	if r.stuck == "" && r.ctx.Err() != nil {
		r.stuck = fmt.Sprintf("the test may take %s, and they were over", Whole)
	}
	if r.stuck != "" {
		s.skip(r.stuck)
		r.report(s)
		return s.State
	}
	ctx, cancel := context.WithTimeout(r.ctx, perStep)
	defer cancel()
	began := time.Now()
	f(ctx, &s)
	s.Took = time.Since(began)
	if s.State == "" {
		s.State = OK
	}
	r.report(s)
	return s.State
}

// stop makes the steps that follow skipped ones.
func (r *run) stop(s *Step) { r.stuck = fmt.Sprintf("needs %q, which failed", s.Title) }

// fail says that a step failed.
func (s *Step) fail(detail, why, fix string) {
	s.State, s.Detail, s.Why, s.Fix = Failed, detail, why, fix
}

// warn says that a step went well but for something. What it is told first stays.
func (s *Step) warn(why, fix string) {
	if s.State == "" || s.State == OK {
		s.State, s.Why, s.Fix = Warning, why, fix
	}
}

func (s *Step) skip(why string) { s.State, s.Why = Skipped, why }

const (
	maxLines = 100
	maxLine  = 240 // bytes of a line that are kept
)

// say keeps a line of the talk.
func (s *Step) say(direction, text string) {
	if len(s.Lines) >= maxLines {
		return
	}
	if len(text) > maxLine {
		text = text[:maxLine] + "…"
	}
	s.Lines = append(s.Lines, direction+" "+clean(text))
}

// clean takes what a terminal or page would act on out of what came from outside.
func clean(text string) string {
	b := []rune{}
	for _, c := range text {
		if c < ' ' || c == 0x7f || c == 0xfffd {
			c = '·'
		}
		b = append(b, c)
	}
	return string(b)
}
