package provider

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"trivium/identity"
)

// Bounds of the sending of logout tokens.
const (
	maxOutbox      = 2000 // that wait, in all
	maxOutboxOfOne = 500  // of one application, so that one that is gone fills nobody's place
	senders        = 4
	sendTimeout    = 5 * time.Second
	logoutLife     = 2 * time.Minute
	logoutEvent    = "http://schemas.openid.net/event/backchannel-logout"
)

// pauses are those before the tries after the first.
var pauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute} //nolint:gochecknoglobals // a constant list

// logoutClaims are those of Back-Channel Logout 1.0 section 2.4.
type logoutClaims struct {
	Issuer   string              `json:"iss"`
	Subject  string              `json:"sub"`
	Audience string              `json:"aud"`
	IssuedAt *jwt.NumericDate    `json:"iat"`
	Expiry   *jwt.NumericDate    `json:"exp"`
	ID       string              `json:"jti"`
	SID      string              `json:"sid,omitempty"`
	Events   map[string]struct{} `json:"events"`
}

// outbox tells applications that somebody's log-in there has ended. It is kept in memory: what waits
// when the server stops is not sent, and the tokens are dead all the same.
type outbox struct {
	p      *Provider
	client *http.Client
	queue  chan message

	mu      sync.Mutex // guards what follows
	waiting map[string]int
	total   int
	pending map[*time.Timer]struct{} // of tries that come later
	closed  bool
}

type message struct {
	app     identity.Application
	subject identity.UserID
	sid     string
	tries   int
}

func newOutbox(p *Provider, c *http.Client) *outbox {
	if c == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		c = &http.Client{Transport: t}
	}
	own := *c
	own.Timeout = sendTimeout
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the host was allowed, not where it points
	return &outbox{p: p, client: &own, queue: make(chan message, maxOutbox), waiting: map[string]int{}, pending: map[*time.Timer]struct{}{}}
}

// put queues one logout token for each log-in that has ended. It never blocks; what finds no room is
// dropped, and said in the log.
func (o *outbox) put(list []identity.EndedGrant) {
	told := map[string]bool{}
	for _, g := range list {
		key := g.To.ID + " " + string(g.User) + " " + g.SID
		if g.To.LogoutURI == "" || told[key] {
			continue
		}
		told[key] = true
		if !o.enter(g.To.ID) {
			o.p.log.Warn("an application is not told of a log-out: too many wait", "event", "application.logout", "application", g.To.ID)
			continue
		}
		o.queue <- message{app: g.To, subject: g.User, sid: g.SID} // enter has counted its place
	}
}

// enter takes a place; leave gives it back.
func (o *outbox) enter(app string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.total >= maxOutbox || o.waiting[app] >= maxOutboxOfOne {
		return false
	}
	o.total++
	o.waiting[app]++
	return true
}

func (o *outbox) leave(app string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total--
	if o.waiting[app]--; o.waiting[app] <= 0 {
		delete(o.waiting, app)
	}
}

// run sends until ctx ends.
func (o *outbox) run(ctx context.Context) {
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for {
				select {
				case m := <-o.queue:
					o.deliver(ctx, m)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	wg.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for t := range o.pending {
		t.Stop()
	}
	if o.total > 0 {
		o.p.log.Warn("applications were not told of log-outs before the server stopped", "event", "application.logout", "count", o.total)
	}
}

// deliver tries once, and again later where that may help.
func (o *outbox) deliver(ctx context.Context, m message) {
	again, err := o.send(ctx, m)
	if err == nil {
		o.p.log.Info("an application was told of a log-out", "event", "application.logout", "application", m.app.ID)
		o.leave(m.app.ID)
		return
	}
	if ctx.Err() != nil {
		return // counted as not told
	}
	if !again || m.tries >= len(pauses) {
		o.p.log.Warn("an application could not be told of a log-out", "event", "application.logout", "application", m.app.ID, "tries", m.tries+1, "err", err)
		o.leave(m.app.ID)
		return
	}
	pause := pauses[m.tries]
	m.tries++
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(pause, func() {
		o.mu.Lock()
		delete(o.pending, t)
		closed := o.closed
		o.mu.Unlock()
		if !closed {
			o.queue <- m // its place is counted still
		}
	})
	o.pending[t] = struct{}{}
}

// send sends one logout token (Back-Channel Logout 1.0 section 2.5). again: another try may help.
func (o *outbox) send(ctx context.Context, m message) (again bool, err error) {
	p := o.p
	if !p.id.LogoutAllowed(m.app) {
		return false, fmt.Errorf("logout tokens may not go to that host: %w", identity.ErrRefused)
	}
	now := p.now()
	token, err := p.sign(ctx, jose.SignatureAlgorithm(m.app.Algorithm), "logout+jwt", logoutClaims{Issuer: p.issuer, Subject: string(m.subject), Audience: m.app.ID,
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(logoutLife)), ID: rand.Text(), SID: m.sid,
		Events: map[string]struct{}{logoutEvent: {}}})
	if err != nil {
		return true, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.app.LogoutURI, strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	if err != nil {
		return false, fmt.Errorf("preparing a logout token: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := o.client.Do(req)
	if err != nil {
		return true, fmt.Errorf("sending a logout token: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, maxBody) // so that the connection can be used again
	switch {
	case res.StatusCode == http.StatusOK || res.StatusCode == http.StatusNoContent:
		return false, nil
	case res.StatusCode == http.StatusBadRequest:
		return false, fmt.Errorf("the application refuses the logout token: %w", identity.ErrRefused)
	}
	return true, fmt.Errorf("the application answers %d: %w", res.StatusCode, identity.ErrUnavailable)
}
