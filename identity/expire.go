package identity

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"
)

const (
	auditHeadSetting = "audit_head" // where the store itself keeps the head that was last noted
	noteEvery        = time.Hour    // how often the head of the audit log is noted
	expireFirst      = time.Minute  // after the start
	expireEvery      = 24 * time.Hour
	expireBatch      = 2000 // rows removed in one transaction
)

// loginEvents are those that AuditKeepLogins is about: the many rows of everyday use.
func loginEvents() []string {
	return []string{EventLoginOK, EventLoginFail, EventLoginThrottled, EventLogout, EventSessionEnd}
}

// AuditKept is how long rows of the audit log are kept, and those of log-ins; 0 is for ever, and for
// log-ins as long as all.
func (s *Service) AuditKept() (all, logins time.Duration) {
	return s.opts.AuditKeep, s.opts.AuditKeepLogins
}

// knowHead learns where the log ended in earlier processes.
func (s *Service) knowHead(ctx context.Context) error {
	text, err := s.store.Setting(ctx, auditHeadSetting)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	for _, head := range []string{text, s.opts.AuditHead} {
		if head == "" {
			continue
		}
		if err := s.audit.remember(head); err != nil {
			s.log.Warn("a noted head of the audit log says nothing", "err", err)
		}
	}
	if text == s.opts.AuditHead || s.opts.KeepAuditHead == nil {
		s.audit.noted = text
	}
	return nil
}

// tendAudit notes the head and removes what is too old, until ctx ends.
func (s *Service) tendAudit(ctx context.Context) {
	note, expire := time.NewTicker(noteEvery), time.NewTimer(expireFirst)
	defer note.Stop()
	defer expire.Stop()
	for {
		s.noteHead(ctx)
		select {
		case <-note.C:
		case <-expire.C:
			expire.Reset(expireEvery)
			if err := s.ExpireAudit(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("removing old rows of the audit log", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// noteHead writes the head down: into the log of the server, and where it has moved into the store and
// to where KeepAuditHead keeps it. So a log whose end is cut off is found out. One goroutine at a time.
func (s *Service) noteHead(ctx context.Context) {
	head, err := s.audit.check(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("looking at the audit log", "err", err)
		}
		return
	}
	if head.fresh() {
		return
	}
	text := head.String()
	s.log.Info("audit log", "event", "audit.head", "rows", head.ID, "head", text)
	if text == s.audit.noted {
		return
	}
	err = s.store.Write(ctx, func(w StoreWriter) error { return w.PutSetting(ctx, auditHeadSetting, text) })
	if s.opts.KeepAuditHead != nil {
		err = errors.Join(err, s.opts.KeepAuditHead(text))
	}
	if err != nil {
		s.log.Error("noting the head of the audit log", "err", err)
		return
	}
	s.audit.noted = text
}

// ExpireAudit removes the rows that are older than the options say, and leaves gaps in their place
// which prove that they were removed by a server with the seal key. A row tells of it.
func (s *Service) ExpireAudit(ctx context.Context) error {
	now, n := s.now(), int64(0)
	remove := func(keep time.Duration, event string) error {
		for keep > 0 {
			removed, err := s.expire1(ctx, now.Add(-keep), event)
			n += int64(removed)
			if err != nil || removed < expireBatch {
				return err
			}
		}
		return nil
	}
	var errs []error
	if short := s.opts.AuditKeepLogins; short > 0 && (s.opts.AuditKeep == 0 || short < s.opts.AuditKeep) {
		for _, event := range loginEvents() {
			errs = append(errs, remove(short, event))
		}
	}
	errs = append(errs, remove(s.opts.AuditKeep, ""))
	if n > 0 {
		errs = append(errs, s.Record(ctx, AuditEvent{Event: EventAuditExpire, Via: ViaServer, Subject: "audit log", Result: "ok",
			After: fields{"removed": n}.text()}))
	}
	return errors.Join(errs...)
}

// expire1 removes at most expireBatch rows in one transaction.
func (s *Service) expire1(ctx context.Context, before time.Time, event string) (removed int, err error) {
	err = s.store.Write(ctx, func(w StoreWriter) error {
		if _, err := w.LockAuditHead(ctx); err != nil { // no two remove at once
			return err
		}
		ids, err := w.AuditExpired(ctx, before, event, expireBatch)
		if err != nil {
			return err
		}
		slices.Sort(ids)
		for i := 0; i < len(ids); {
			j := i + 1
			for j < len(ids) && ids[j] == ids[j-1]+1 {
				j++
			}
			if err := s.putGap(ctx, w, ids[i], ids[j-1]); err != nil {
				return err
			}
			i = j
		}
		removed = len(ids)
		return nil
	})
	return removed, err
}

// putGap puts a gap in the place of rows, all of which are there, and joins it with those beside it.
func (s *Service) putGap(ctx context.Context, w StoreWriter, first, last int64) error {
	g := AuditGap{First: first, Last: last, At: s.now().UTC().Truncate(timeUnit)}
	left, err := w.AuditGap(ctx, first-1)
	switch {
	case err == nil:
		g.First, g.Before = left.First, left.Before
	case errors.Is(err, ErrNotFound):
		g.Before, err = chainOf(ctx, w, first-1)
	}
	if err != nil {
		return err
	}
	right, err := w.AuditGap(ctx, last+1)
	switch {
	case err == nil:
		g.Last, g.After = right.Last, right.After
	case errors.Is(err, ErrNotFound):
		g.After, err = chainOf(ctx, w, last)
	}
	if err != nil {
		return err
	}
	for _, beside := range []AuditGap{left, right} {
		if len(beside.MAC) > 0 && !bytes.Equal(beside.MAC, s.audit.signGap(beside)) {
			return faultf(ErrRefused, "rows of the audit log beside %d were removed by somebody without the seal key; nothing more is removed there", first)
		}
	}
	g.MAC = s.audit.signGap(g)
	return w.PutAuditGap(ctx, g)
}

func (l *auditLog) signGap(g AuditGap) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sign.gap(g)
}

// chainOf is the chain of a row; nil of one that is not there.
func chainOf(ctx context.Context, r StoreReader, id int64) ([]byte, error) {
	rows, err := r.AuditRows(ctx, id, 1)
	if err != nil || len(rows) == 0 || rows[0].ID != id {
		return nil, err
	}
	return rows[0].Chain, nil
}
