package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// Bounds of the sessions of WebDAV and the API.
const (
	requestIdle  = 10 * time.Minute
	tokenUsedGap = time.Minute // between two notes of a token's use
)

// requests finds the session of clients that bring their credential with each request.
type requests struct {
	secret []byte

	mu      sync.Mutex // guards what follows and the fields of the entries
	entries map[string]*requestEntry
}

type requestEntry struct {
	ready   chan struct{} // closed when session or err is there
	session *Session
	err     error
	noted   time.Time // last use told to the token
	out     int64     // bytes sent as of moved
	moved   time.Time
}

func newRequests() *requests {
	r := &requests{secret: make([]byte, sha256.Size), entries: map[string]*requestEntry{}}
	_, _ = rand.Read(r.secret) // never fails, as its documentation says
	return r
}

// Request finds or opens the session of one credential, address and user agent, for WebDAV and
// the API, which bring credentials with each request. It ends after ten idle minutes; only the
// first is audited. l has MethodBearer (API, DAV), MethodPassword (HTTP Basic) or MethodExternal.
func (s *Service) Request(ctx context.Context, p Protocol, v Visit, l Login) (*Session, error) {
	v = v.bounded()
	tls := "clear"
	if v.TLS != "" {
		tls = "tls"
	}
	shown := ""
	if len(l.Certificate) > 0 {
		shown = CertificateFingerprint(l.Certificate[0].Raw)
	}
	key := string(keyed(s.requests.secret, string(p), string(l.Method), l.Name, l.Domain, l.Secret.Reveal(), shown,
		v.Remote.Addr().Unmap().String(), v.UserAgent, tls))
	for {
		e, mine := s.requests.entry(key, s.now())
		if mine {
			ses, err := s.openRequest(ctx, p, v, l)
			s.requests.settle(key, e, ses, err)
			return ses, err
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case errors.Is(e.err, context.Canceled), errors.Is(e.err, context.DeadlineExceeded):
			continue // the other request went; its entry has gone as well
		case e.err != nil:
			return nil, e.err
		case e.session.endedNow():
			s.requests.drop(key, e)
			continue
		}
		e.session.Touch()
		s.noteToken(e)
		return e.session, nil
	}
}

func (r *requests) entry(key string, now time.Time) (e *requestEntry, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.entries[key]; ok {
		return e, false
	}
	e = &requestEntry{ready: make(chan struct{}), noted: now, moved: now}
	r.entries[key] = e
	return e, true
}

func (r *requests) settle(key string, e *requestEntry, ses *Session, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.session, e.err = ses, err
	if err != nil {
		delete(r.entries, key)
	}
	close(e.ready)
}

func (r *requests) drop(key string, e *requestEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries[key] == e {
		delete(r.entries, key)
	}
}

func (s *Service) openRequest(ctx context.Context, p Protocol, v Visit, l Login) (*Session, error) {
	o := v.opening(p)
	o.Token = s.tokens.IsToken(l.Secret)
	ses, err := s.Registry.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if _, err := s.Login(ctx, ses, l); err != nil {
		ses.Close()
		return nil, err
	}
	ses.Update(func(d *Details) { d.State, d.Lang = StateLoggedIn, v.Lang })
	return ses, nil
}

// noteToken tells a token that it was used, now and then.
func (s *Service) noteToken(e *requestEntry) {
	a, ok := e.session.attached()
	if !ok || a.creds.Grant == nil {
		return
	}
	now := s.now()
	s.requests.mu.Lock()
	due := now.Sub(e.noted) >= tokenUsedGap
	if due {
		e.noted = now
	}
	s.requests.mu.Unlock()
	if due {
		s.tokens.TokenUsed(context.Background(), a.creds.Grant.TokenID, now, e.session)
	}
}

// sweepRequests ends the sessions that were not used for long. Bytes that go out count as use,
// as of a long download.
func (s *Service) sweepRequests() {
	now := s.now()
	var idle []*Session
	s.requests.mu.Lock()
	for key, e := range s.requests.entries {
		if e.session == nil {
			continue // still logging in
		}
		if out := e.session.out.Load(); out != e.out {
			e.out, e.moved = out, now
		}
		if at := e.session.LastActivity(); at.After(e.moved) {
			e.moved = at
		}
		if now.Sub(e.moved) > requestIdle || e.session.endedNow() {
			idle = append(idle, e.session)
			delete(s.requests.entries, key)
		}
	}
	s.requests.mu.Unlock()
	s.Registry.finish(idle, Reason{Code: ReasonIdle, Text: "idle"}, true)
}
