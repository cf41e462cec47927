package identity

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of a row of the audit log in bytes; what is longer is cut. Names there are what clients
// sent.
const (
	maxAuditField  = 1024
	maxAuditDetail = 16 << 10
)

// EventAuditBroken stands in the log where an append found that somebody else than a server with
// this seal key had changed the log; EventAuditLost where rows found no room in the queue.
const (
	EventAuditBroken = "audit.broken"
	EventAuditLost   = "audit.lost"
	EventAuditExpire = "audit.expire"
	EventAuditExport = "audit.export"
	EventBanAdd      = "ban.add" // by the throttle
)

// ViaServer is the way of what the server does by itself.
const ViaServer = "server"

// auditLog appends to the log and tells those who follow it.
type auditLog struct {
	store Store
	log   *slog.Logger
	now   func() time.Time
	noted string // the head that was written down last; noteHead's alone

	mu       sync.Mutex // guards what follows
	sign     *signer
	known    AuditHead // the newest that this process has seen or was told of; no MAC: none
	watchers map[chan struct{}]struct{}
}

func newAuditLog(store Store, key []byte, log *slog.Logger, now func() time.Time) *auditLog {
	return &auditLog{store: store, log: log, now: now, sign: newSigner(key), watchers: map[chan struct{}]struct{}{}}
}

// write runs fn in a transaction and appends the events that it returns, in their order.
func (l *auditLog) write(ctx context.Context, fn func(w StoreWriter) ([]AuditEvent, error)) error {
	var head AuditHead
	err := l.store.Write(ctx, func(w StoreWriter) error {
		head = AuditHead{}
		events, err := fn(w)
		if err != nil || len(events) == 0 {
			return err
		}
		head, err = l.append(ctx, w, events)
		return err
	})
	if err == nil && len(head.MAC) > 0 {
		l.committed(head)
	}
	return err
}

// append chains events to the log in the transaction of w, and returns the new head. Where the log is
// not as this process or the seal key says, a row before them says so, for good.
func (l *auditLog) append(ctx context.Context, w StoreWriter, events []AuditEvent) (AuditHead, error) {
	head, err := w.LockAuditHead(ctx)
	if err != nil {
		return head, err
	}
	if wrong := l.suspect(head); wrong != "" {
		l.log.Error("the audit log was changed", "event", EventAuditBroken, "found", head.ID, "reason", wrong)
		broken := AuditEvent{Time: l.now(), Event: EventAuditBroken, Via: ViaServer, Subject: "audit log", Result: "changed",
			Detail: wrong, After: fields{"found": head.ID}.text()}
		events = append([]AuditEvent{broken}, events...)
	}
	if len(events) == 0 {
		return AuditHead{}, nil
	}
	rows := make([]AuditRow, len(events))
	var sum [32]byte
	var buf []byte
	for i := range rows {
		r := &rows[i]
		r.AuditEvent = events[i]
		head.ID++
		r.ID, r.Time = head.ID, r.Time.UTC().Truncate(timeUnit)
		sum, buf = link(head.Chain, &r.AuditEvent, buf)
		r.Chain = append([]byte(nil), sum[:]...)
		head.Chain = r.Chain
	}
	l.mu.Lock()
	head.MAC = l.sign.head(head)
	l.mu.Unlock()
	return head, w.AppendAudit(ctx, head, rows...)
}

// suspect says what is wrong with a head; "" where nothing is.
func (l *auditLog) suspect(head AuditHead) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch known := len(l.known.MAC) > 0; {
	case !l.sign.genuine(head):
		return "the head of the log was not made with this server's seal key"
	case known && head.fresh():
		return fmt.Sprintf("the head of the log was taken away; it was at row %d", l.known.ID)
	case known && head.ID < l.known.ID:
		return fmt.Sprintf("the log ended at row %d and had been at row %d: its end was cut off, or an older copy put in its place", head.ID, l.known.ID)
	case known && head.ID == l.known.ID && !head.same(l.known):
		return fmt.Sprintf("the row %d is another one than it was", head.ID)
	}
	return ""
}

// committed notes a head that is on disk.
func (l *auditLog) committed(head AuditHead) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = head
	for c := range l.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// remember takes a head that was noted down earlier, where it is genuine and newer than what is
// known.
func (l *auditLog) remember(text string) error {
	h, err := ParseAuditHead(text)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.sign.genuine(h) || h.fresh() {
		return faultf(ErrInvalid, "the head was not made with this server's seal key")
	}
	if h.ID > l.known.ID {
		l.known = h
	}
	return nil
}

// check appends a row where the log has been changed since it was known; else it writes nothing.
func (l *auditLog) check(ctx context.Context) (AuditHead, error) {
	head, err := l.store.AuditHead(ctx)
	if err != nil || l.suspect(head) == "" {
		return head, err
	}
	err = l.store.Write(ctx, func(w StoreWriter) (err error) {
		head, err = l.append(ctx, w, nil)
		return err
	})
	if err == nil && len(head.MAC) > 0 {
		l.committed(head)
	}
	return head, err
}

// watch returns a channel that says that rows have been appended by this process, and what ends it.
func (l *auditLog) watch() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers[c] = struct{}{}
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, c)
	}
}

// Record appends to the audit log; roads and packages above use it for changes of their own. A
// zero time is now.
func (s *Service) Record(ctx context.Context, e AuditEvent) error {
	if e.Time.IsZero() {
		e.Time = s.now()
	}
	e = cleaned(e)
	return s.audit.write(ctx, func(StoreWriter) ([]AuditEvent, error) { return []AuditEvent{e}, nil })
}

// Audit reads the log, newest first; with After the oldest first.
func (s *Service) Audit(ctx context.Context, f AuditFilter) ([]AuditEvent, error) {
	return s.store.Audit(ctx, f)
}

// AuditEvents lists the names of events that are in the log.
func (s *Service) AuditEvents(ctx context.Context) ([]string, error) { return s.store.AuditEvents(ctx) }

// AuditHead is the end of the log, to be noted down or followed from.
func (s *Service) AuditHead(ctx context.Context) (AuditHead, error) { return s.store.AuditHead(ctx) }

// followPoll is how often a follower looks for rows of other processes.
const followPoll = time.Second

// FollowAudit waits, at most for wait, until there are rows after f.After that f chooses, and
// returns them oldest first; none where there were none in time.
func (s *Service) FollowAudit(ctx context.Context, f AuditFilter, wait time.Duration) ([]AuditEvent, error) {
	changed, stop := s.audit.watch()
	defer stop()
	over := time.NewTimer(wait)
	defer over.Stop()
	poll := time.NewTicker(followPoll)
	defer poll.Stop()
	f.Follow = true
	seen := int64(-1)
	for {
		head, err := s.store.AuditHead(ctx)
		if err != nil {
			return nil, err
		}
		if head.ID != seen {
			seen = head.ID
			if list, err := s.store.Audit(ctx, f); err != nil || len(list) > 0 {
				return list, err
			}
		}
		select {
		case <-changed:
		case <-poll.C:
		case <-over.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// AuditChanged tells of rows that are appended from now on, by this process at once and by another one
// within a second, until ctx ends; what comes close together is told once. The channel is then closed.
func (s *Service) AuditChanged(ctx context.Context) (<-chan struct{}, error) {
	changed, stop := s.audit.watch()
	head, err := s.store.AuditHead(ctx)
	if err != nil {
		stop()
		return nil, err
	}
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		defer stop()
		poll := time.NewTicker(followPoll)
		defer poll.Stop()
		for seen := head.ID; ; {
			select {
			case <-changed:
			case <-poll.C:
			case <-ctx.Done():
				return
			}
			head, err := s.store.AuditHead(ctx)
			if err != nil || head.ID == seen {
				continue
			}
			seen = head.ID
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}()
	return out, nil
}

// AuditFilter chooses rows; zero fields choose all.
type AuditFilter struct {
	Since, Until time.Time    // from Since on, before Until
	Event        string       // exact, or a prefix that ends in ".*"
	Subject      string       // exact
	Actor        string       // exact
	Protocol     Protocol     // exact
	From         netip.Prefix // addresses
	Result       string       // "ok", "failed" for all others, or exact
	Text         string       // part of any field, in any case
	Before       AuditCursor  // older than this row
	After        int64        // with Follow: later than the row of this ID
	Follow       bool         // the oldest first, from After on
	Limit        int          // 0: 200
}

// ParseFrom reads an address or a prefix for the From of a filter; "" is none. The error wraps
// ErrInvalid.
func ParseFrom(s string) (netip.Prefix, error) {
	if s == "" {
		return netip.Prefix{}, nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, faultf(ErrInvalid, "%q is neither an address nor a prefix; write one such as 192.0.2.1 or 192.0.2.0/24", s)
	}
	return p.Masked(), nil
}

// AuditCursor is where a page of the log ends; zero is no place.
type AuditCursor struct {
	Time time.Time
	ID   int64
}

// Cursor is the place of a row, for the page of those before it.
func (e AuditEvent) Cursor() AuditCursor { return AuditCursor{e.Time, e.ID} }

// String is the cursor as clients get it: opaque.
func (c AuditCursor) String() string {
	if c == (AuditCursor{}) {
		return ""
	}
	return strconv.FormatInt(c.Time.UnixMicro(), 36) + "-" + strconv.FormatInt(c.ID, 36)
}

// ParseAuditCursor reads what String wrote; "" is no place. The error wraps ErrInvalid.
func ParseAuditCursor(s string) (AuditCursor, error) {
	if s == "" {
		return AuditCursor{}, nil
	}
	at, id, ok := strings.Cut(s, "-")
	us, err := strconv.ParseInt(at, 36, 64)
	n, err2 := strconv.ParseInt(id, 36, 64)
	if !ok || err != nil || err2 != nil || n <= 0 {
		return AuditCursor{}, faultf(ErrInvalid, "%q is no cursor; take the one of the page before", s)
	}
	return AuditCursor{time.UnixMicro(us).UTC(), n}, nil
}

// cleaned makes every text of e one that each database takes, and bounds it.
func cleaned(e AuditEvent) AuditEvent {
	for _, f := range []*string{&e.Event, &e.Actor, &e.Via, &e.Subject, &e.Remote, &e.Session, &e.Result} {
		*f = clip(plain(*f), maxAuditField)
	}
	e.Protocol, e.Method = Protocol(clip(plain(string(e.Protocol)), maxAuditField)), Method(clip(plain(string(e.Method)), maxAuditField))
	for _, f := range []*string{&e.Detail, &e.Before, &e.After} {
		*f = clip(plain(*f), maxAuditDetail)
	}
	return e
}

// plain replaces what is not UTF-8 and the NUL, which PostgreSQL refuses.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}
