package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"trivium/internal/certs"
)

// Limits of how long and how often an authority is asked.
const (
	orderLimit   = 3 * time.Minute  // of one order, from the account to the certificate
	requestLimit = 30 * time.Second // of one request
	maxAnswer    = 1 << 20          // bytes of an answer
	longestSleep = time.Hour        // so that a machine that was asleep notices
	askEvery     = 12 * time.Hour   // whether the authority wants a certificate renewed earlier
	enough       = 72 * time.Hour   // that a brought certificate must still hold, for none to be ordered
)

// Certificates is what keeps and shows them; *certs.Source does.
type Certificates interface {
	// Issued is the certificate for a name that came by ACME and is in use; nil: there is none.
	Issued(name string) *x509.Certificate
	// Brought reports whether another one is for the name, and holds for longer than enough.
	Brought(name string, enough time.Duration) bool
	// Keep takes a pair into use for a name.
	Keep(name string, certPEM, keyPEM []byte) error
}

// Options is what New needs.
type Options struct {
	Directory string // of the authority: an https address
	Email     string // the authority may write to; "": none
	// Binding is what the account there is bound to (RFC 8555 section 7.3.4); the zero value: nothing.
	Binding      Binding
	Names        []string // as [Names] gives them
	Dir          string   // where accounts and the state of orders are kept; made with mode 0700
	Certificates Certificates
	// HTTP and TLS say what can be answered: HTTP-01 on port 80, TLS-ALPN-01 on port 443.
	HTTP, TLS bool
	Roots     *x509.CertPool // whom to believe that it is the authority; nil: those of the system
	Version   string
	Log       *slog.Logger // nil: discarded
}

// Binding is a key that an authority has given somebody outside of ACME.
type Binding struct {
	KeyID string
	Key   func() []byte // the bytes of the MAC key
}

// Manager gets certificates and renews them. Its methods may be called from any goroutine.
type Manager struct {
	opt       Options
	log       *slog.Logger
	authority string   // the host of the directory
	via       []string // challenges, in the order in which they are tried
	client    *acme.Client
	answers   Answers
	wake      chan struct{} // something was asked for

	mu      sync.Mutex // guards what follows
	states  map[string]state
	asked   map[string]*request // what somebody waits for
	working string              // the name whose order is under way
	running bool
}

// request is somebody's wish for a new certificate.
type request struct {
	done chan struct{} // closed when err is there
	err  error
}

// New reads how it stood with the names. It asks nobody.
func New(o Options) (*Manager, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	u, err := url.Parse(o.Directory)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("tls.acme_directory %q is no address", o.Directory)
	}
	m := &Manager{opt: o, log: o.Log, authority: u.Hostname(), wake: make(chan struct{}, 1), asked: map[string]*request{}}
	m.client = &acme.Client{Directory: o.Directory, UserAgent: "trivium/" + o.Version, PollTimeout: orderLimit,
		HTTPClient: &http.Client{Timeout: requestLimit, Transport: bounded{&http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: requestLimit, IdleConnTimeout: time.Minute, MaxIdleConns: 2,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots}}}}}
	if o.HTTP {
		m.via = append(m.via, viaHTTP)
	}
	if o.TLS {
		m.via = append(m.via, viaTLS)
	}
	if m.states, err = readStates(m.stateFile()); err != nil {
		m.log.Warn("how it stood with orders of certificates cannot be read; it is found out anew", "file", m.stateFile(), "error", err)
	}
	return m, nil
}

// bounded cuts answers that are far too long.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

// Answers are what the listeners tell the authority.
func (m *Manager) Answers() *Answers { return &m.answers }

func (m *Manager) stateFile() string { return filepath.Join(m.opt.Dir, "state.json") }

// Run orders what is missing and renews what comes to its end, one name after the other, until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	m.mu.Lock()
	m.running = true
	m.mu.Unlock()
	defer m.ended()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-timer.C:
		}
		timer.Reset(m.round(ctx))
	}
}

// round does what is due, and says how long to wait for the next.
func (m *Manager) round(ctx context.Context) time.Duration {
	next := time.Now().Add(longestSleep)
	for _, name := range m.opt.Names {
		if ctx.Err() != nil {
			break
		}
		m.mu.Lock()
		st, job := m.states[name], m.asked[name]
		m.mu.Unlock()
		leaf := m.opt.Certificates.Issued(name)
		switch now := time.Now(); {
		case job != nil:
			m.order(ctx, name, leaf)
		case m.opt.Certificates.Brought(name, enough):
			continue
		case !now.Before(st.due(leaf, m.opt.Directory)):
			m.order(ctx, name, leaf)
		case leaf != nil && st.Failures == 0 && !now.Before(st.AskAt):
			m.ask(ctx, name, leaf)
		}
		m.mu.Lock()
		st, job = m.states[name], m.asked[name]
		m.mu.Unlock()
		if job != nil { // it was asked for meanwhile
			next = time.Now()
			continue
		}
		leaf = m.opt.Certificates.Issued(name)
		for _, at := range []time.Time{st.due(leaf, m.opt.Directory), st.AskAt} {
			if at.After(time.Now()) && at.Before(next) {
				next = at
			}
		}
	}
	return max(time.Until(next), 0)
}

// order gets a certificate, and notes how that went.
func (m *Manager) order(ctx context.Context, name string, leaf *x509.Certificate) {
	m.mu.Lock()
	job := m.asked[name]
	m.working = name
	m.mu.Unlock()
	within, cancel := context.WithTimeout(ctx, orderLimit)
	renew, err := m.obtain(within, name, leaf)
	cancel()
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.working = ""
	delete(m.asked, name)
	st := m.states[name]
	switch {
	case err == nil:
		was := st.Fault
		st = state{Directory: m.opt.Directory, Tried: now, RenewAt: renew, AskAt: now.Add(askEvery)}
		m.log.Info("certificate obtained by ACME", "name", name, "authority", m.authority, "failed_before", was != nil)
	case ctx.Err() != nil: // the server stops: that is nobody's fault
		err = errStopped
	default:
		f := faultOf(err)
		if st.failed(f, now) {
			m.log.Warn("no certificate by ACME; what is in use stays", "name", name, "authority", m.authority, "reason", words(f.Code).trouble, "detail", f.Detail, "next", st.Next.UTC())
		} else {
			m.log.Debug("no certificate by ACME, as before", "name", name, "reason", words(f.Code).trouble, "detail", f.Detail, "next", st.Next.UTC())
		}
		err = f
	}
	m.states[name] = st
	if werr := m.keepStates(); werr != nil {
		m.log.Error("how it stands with orders of certificates is not kept", "error", werr)
	}
	if job != nil {
		job.err = err
		close(job.done)
	}
}

// ask finds out whether the authority wants a certificate renewed earlier or later (RFC 9773).
func (m *Manager) ask(ctx context.Context, name string, leaf *x509.Certificate) {
	within, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	info, err := m.client.GetRenewalInfo(within, leaf)
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.states[name]
	st.AskAt = time.Now().Add(askEvery)
	if err == nil && !info.SelectedTime.IsZero() {
		// The time was chosen by lot in a window: one that still lies in it stays.
		if w := info.SuggestedWindow; st.RenewAt.Before(w.Start) || st.RenewAt.After(w.End) {
			st.RenewAt = info.SelectedTime
		}
	}
	m.states[name] = st
	if err := m.keepStates(); err != nil {
		m.log.Error("how it stands with orders of certificates is not kept", "error", err)
	}
}

var errStopped = errors.New("the server is not running, and nothing else can answer the authority; start it first")

// ended lets go of who waits.
func (m *Manager) ended() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = false
	for name, job := range m.asked {
		delete(m.asked, name)
		job.err = errStopped
		close(job.done)
	}
}

// Renew gets a new certificate for a name, as certs.Orders says.
func (m *Manager) Renew(ctx context.Context, name string) error {
	m.mu.Lock()
	if !m.running {
		m.mu.Unlock()
		return errStopped
	}
	if !m.has(name) {
		m.mu.Unlock()
		return certs.ErrNotAutomatic
	}
	job := m.asked[name]
	if job == nil {
		job = &request{done: make(chan struct{})}
		m.asked[name] = job
	}
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
	select {
	case <-job.done:
		return job.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Manager) has(name string) bool {
	for _, n := range m.opt.Names {
		if n == name {
			return true
		}
	}
	return false
}

// Automatic says how it stands with each name.
func (m *Manager) Automatic() []certs.Automatic {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []certs.Automatic{}
	for _, name := range m.opt.Names {
		st := m.states[name]
		leaf := m.opt.Certificates.Issued(name)
		a := certs.Automatic{Name: name, Authority: m.authority, Failures: st.Failures, Tried: some(st.Tried), Since: some(st.Since),
			Working: m.working == name || m.asked[name] != nil, Instead: m.opt.Certificates.Brought(name, enough)}
		if leaf != nil {
			a.Until = some(leaf.NotAfter)
		}
		if !a.Instead {
			a.Next = some(st.due(leaf, m.opt.Directory))
		}
		if f := st.Fault; f != nil {
			w := words(f.Code)
			a.Code, a.Trouble, a.Advice, a.Detail = f.Code, w.trouble, w.advice, f.Detail
		}
		list = append(list, a)
	}
	return list
}

// some is a time as JSON has it, nil where there is none.
func some(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}
