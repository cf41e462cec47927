package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"trivium/identity"
)

// Bounds of deliveries.
const (
	tryTime    = 15 * time.Second // for a whole try
	maxAnswer  = 4 << 10          // bytes that are read of an answer
	maxError   = 300              // bytes of a reason in the log
	batch      = 100              // rows of the audit log that are read at a time
	atOnce     = 8                // subscriptions that are served at a time
	pollPeriod = time.Second
	giveUp     = 24 * time.Hour
	firstWait  = 5 * time.Second
	lastWait   = 2 * time.Hour
)

// backoff doubles more or less up to two hours, so that a day has some twenty tries.
func backoff(failures int) time.Duration {
	wait := firstWait
	for range min(failures-1, 20) {
		wait = min(wait*2, lastWait)
	}
	return wait*4/5 + rand.N(wait*2/5)
}

// newClient dials checked addresses alone, follows nothing, and asks no proxy; a nil resolver is the
// system's.
func newClient(to reach, names *net.Resolver) *http.Client {
	d := &net.Dialer{Timeout: 5 * time.Second, Resolver: names, Control: func(_, address string, _ syscall.RawConn) error {
		return to.mayDial(address)
	}}
	return &http.Client{
		Timeout:       tryTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 1, MaxIdleConns: atOnce,
			IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true},
	}
}

var errPrivate = errors.New("the address is in a private network; web.webhooks_private lets webhooks go there")

// reach is where deliveries may go.
type reach struct {
	private bool           // everywhere
	special []netip.Prefix // never else, though net/netip calls them global
}

// newReach knows the prefixes of RFC 6890 and RFC 6052 that netip has no word for.
func newReach(private bool) reach {
	r := reach{private: private}
	for _, text := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		r.special = append(r.special, netip.MustParsePrefix(text))
	}
	return r
}

// mayDial looks at the address that a name led to, the moment before it is dialled.
func (r reach) mayDial(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !r.may(ap.Addr()) {
		return errPrivate
	}
	return nil
}

// may reports whether deliveries may go to an address.
func (r reach) may(a netip.Addr) bool {
	if r.private {
		return true
	}
	a = a.Unmap().WithZone("")
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() &&
		!slices.ContainsFunc(r.special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Run delivers until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	changed, err := s.o.Log.AuditChanged(ctx)
	if err != nil {
		return err
	}
	poll := time.NewTicker(pollPeriod)
	defer poll.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, atOnce)
	for {
		hooks, err := s.o.Store.Hooks(ctx)
		if err != nil && ctx.Err() == nil {
			s.o.Slog.ErrorContext(ctx, "webhooks could not be read", "event", "webhook.failed", "err", err.Error())
		}
		for _, h := range hooks {
			if !h.Active || h.NextAt.After(s.o.Now()) || !s.begin(h.ID) {
				continue
			}
			select {
			case places <- struct{}{}:
			default:
				s.end(h.ID)
				continue
			}
			wg.Go(func() {
				defer func() { s.end(h.ID); <-places }()
				s.serve(ctx, h)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-s.changed:
		case <-poll.C:
		}
	}
}

func (s *Service) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *Service) begin(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[id] {
		return false
	}
	s.busy[id] = true
	return true
}

func (s *Service) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, id)
}

// serve delivers what a subscription has not had yet, until one is not taken.
func (s *Service) serve(ctx context.Context, h Hook) {
	for ctx.Err() == nil {
		rows, err := s.o.Log.Audit(ctx, identity.AuditFilter{Follow: true, After: h.Position, Limit: batch})
		if err != nil || len(rows) == 0 {
			return
		}
		was := h.Position
		for i := range rows {
			if !h.Wants(rows[i].Event) {
				h.Position = rows[i].ID
				continue
			}
			d, gone := s.try(ctx, h, rows[i].Event, messageID(h.ID, rows[i].ID), rows[i].Out(), rows[i].Time)
			if ctx.Err() != nil {
				return // tried again at the next start
			}
			if d.Error == "" {
				h.Position, h.Failures, h.Failing, h.NextAt = rows[i].ID, 0, time.Time{}, time.Time{}
				if !s.move(ctx, was, h) || !s.current(ctx, &h) {
					return
				}
				was = h.Position
				continue
			}
			s.failed(ctx, was, h, d, gone)
			return
		}
		if h.Position != was && (!s.move(ctx, was, h) || !s.current(ctx, &h)) {
			return
		}
	}
}

// current reads h anew, as somebody may have changed it while it was served; false where it is off, gone
// or elsewhere by now.
func (s *Service) current(ctx context.Context, h *Hook) bool {
	now, err := s.o.Store.Hook(ctx, h.ID)
	if err != nil || !now.Active || now.Position != h.Position {
		return false
	}
	*h = now
	return true
}

// failed notes a try that was not taken, and switches off what has failed for a day.
func (s *Service) failed(ctx context.Context, was int64, h Hook, d Delivery, gone bool) {
	now := s.o.Now()
	h.Failures++
	if h.Failing.IsZero() {
		h.Failing = now
	}
	h.NextAt = now.Add(s.o.Backoff(h.Failures))
	if gone || now.Sub(h.Failing) >= giveUp {
		h.Active, h.Why = false, "switched off: "+d.Error
		s.o.Slog.WarnContext(ctx, "a webhook was switched off", "event", "webhook.off", "webhook", h.ID, "reason", d.Error)
		if err := s.record(ctx, identity.Actor{Via: identity.ViaServer}, "webhook.off", h); err != nil {
			s.o.Slog.ErrorContext(ctx, "the end of a webhook was not recorded", "event", "webhook.failed", "err", err.Error())
		}
	}
	s.move(ctx, was, h)
}

func (s *Service) move(ctx context.Context, was int64, h Hook) bool {
	if err := s.o.Store.Move(ctx, was, h); err != nil {
		s.o.Slog.ErrorContext(ctx, "the place of a webhook was not kept", "event", "webhook.failed", "err", err.Error())
		return false
	}
	return true
}

func messageID(hook string, row int64) string {
	return messagePrefix(hook) + strconv.FormatInt(row, 10)
}

func messagePrefix(hook string) string { return "msg_" + hook + "_" }

// payload is the body of a delivery.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// Test sends webhook.ping once, now, also to a subscription that is off.
func (s *Service) Test(ctx context.Context, by identity.Actor, id string) (Delivery, error) {
	if err := mayChange(by); err != nil {
		return Delivery{}, err
	}
	h, err := s.Hook(ctx, id)
	if err != nil {
		return Delivery{}, err
	}
	at := s.o.Now()
	h.Failures = 0
	d, _ := s.try(ctx, h, eventPing, "msg_"+h.ID+"_ping_"+strconv.FormatInt(at.UnixMicro(), 36), map[string]string{"webhook": h.ID}, at)
	return d, nil
}

// eventPing is what Test sends; it stands in no log.
const eventPing = "webhook.ping"

// Resend sends what a delivery of the log told once more, now, with the same message ID, also by a
// subscription that is off; its place in the log stays. Where the row has gone from the audit log, or the
// delivery from the list, it is ErrNotFound.
func (s *Service) Resend(ctx context.Context, by identity.Actor, id string, delivery int64) (Delivery, error) {
	list, err := s.Deliveries(ctx, id)
	if err != nil {
		return Delivery{}, err
	}
	i := slices.IndexFunc(list, func(d Delivery) bool { return d.ID == delivery })
	if i < 0 {
		return Delivery{}, faultf(identity.ErrNotFound, "no delivery %d of %s is kept", delivery, id)
	}
	old := list[i]
	if old.Event == eventPing {
		return s.Test(ctx, by, id)
	}
	if err := mayChange(by); err != nil {
		return Delivery{}, err
	}
	h, err := s.Hook(ctx, id)
	if err != nil {
		return Delivery{}, err
	}
	row, err := strconv.ParseInt(strings.TrimPrefix(old.Message, messagePrefix(id)), 10, 64)
	if err != nil {
		return Delivery{}, faultf(identity.ErrNotFound, "what delivery %d told is not known", delivery)
	}
	rows, err := s.o.Log.Audit(ctx, identity.AuditFilter{Follow: true, After: row - 1, Limit: 1})
	if err != nil {
		return Delivery{}, err
	}
	if len(rows) == 0 || rows[0].ID != row {
		return Delivery{}, faultf(identity.ErrNotFound, "the event is no longer in the audit log")
	}
	h.Failures = old.Attempt
	d, _ := s.try(ctx, h, rows[0].Event, old.Message, rows[0].Out(), rows[0].Time)
	return d, nil
}

// try sends one event once, and keeps what came of it. gone: the other side wants no more.
func (s *Service) try(ctx context.Context, h Hook, event, message string, data any, at time.Time) (d Delivery, gone bool) {
	begun := s.o.Now()
	d = Delivery{Hook: h.ID, Message: message, Event: event, At: begun.UTC().Truncate(time.Microsecond), Attempt: h.Failures + 1}
	start := time.Now()
	status, err := s.send(ctx, h, message, payload{event, at.UTC(), data}, begun)
	d.Status, d.Took = status, time.Since(start)
	d.Millis = d.Took.Milliseconds()
	switch {
	case err != nil:
		d.Error = reason(err)
	case status < 200 || status > 299:
		d.Error = fmt.Sprintf("the answer was %d", status)
	}
	if ctx.Err() == nil {
		var err error
		if d.ID, err = s.o.Store.AddDelivery(ctx, d, keptTries); err != nil {
			s.o.Slog.ErrorContext(ctx, "a delivery was not noted", "event", "webhook.failed", "err", err.Error())
		}
	}
	return d, status == http.StatusGone
}

// reason says what is wrong without the address, whose path may be a secret.
func reason(err error) string {
	if errors.Is(err, errPrivate) {
		return errPrivate.Error()
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
		var op *net.OpError
		if errors.As(err, &op) {
			break
		}
	}
	text := err.Error()
	return text[:min(len(text), maxError)]
}

func (s *Service) send(ctx context.Context, h Hook, message string, p payload, at time.Time) (int, error) {
	key, err := s.key(h)
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if req.URL.Scheme != "https" && !s.o.Private {
		return 0, errPrivate
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	req.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Trivium"}, "Webhook-Id": {message}, "Webhook-Timestamp": {stamp},
		"Webhook-Signature": {Sign(key, message, stamp, body)}}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // what it says is of no use
	return res.StatusCode, nil
}

// Sign is webhook-signature: v1 and an HMAC-SHA256 over ID, time and body.
func Sign(key []byte, message, stamp string, body []byte) string {
	m := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(m, "%s.%s.", message, stamp)
	_, _ = m.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
}
