package identity

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"
)

// Bounds of what people read of their own log.
const (
	ownAttempts = 30 * 24 * time.Hour // how far back log-ins go
	ownBatch    = 200                 // rows that are looked at together
	ownLooked   = 20_000              // rows that one reading looks at
)

// OwnFamilies are the events of an account that its person may read, by families; a name of a group or of
// anything else may be the same as theirs, so that no other event is shown to them.
func OwnFamilies() []string {
	return []string{"login.*", "session.*", "device.*", "user.*", "level.*", "password.*", "factor.*", "token.*", "link.*", "certificate.*", "notice.*"}
}

// ownEvent reports whether a row of the log with the name of an account as subject is about that account.
func ownEvent(e *AuditEvent) bool {
	switch e.Event {
	case EventLogout, EventCertificateAdd, EventCertificateRemove, "reset.ask":
		return true
	}
	family, _, _ := strings.Cut(e.Event, ".")
	return family != "certificate" && slices.Contains(OwnFamilies(), family+".*")
}

// OwnLog reads what the log has about the account of a session's person, newest first: log-ins of the last
// 30 days, and changes as far back as the log goes. event is "" or one of OwnFamilies. Where somebody else
// acted it says who, and neither from where nor in which session. next is where the older rows go on; a
// zero one: there are none.
func (s *Service) OwnLog(ctx context.Context, c Credentials, event string, before AuditCursor, limit int) (list []AuditEvent, next AuditCursor, err error) {
	if c.UserID == "" || event != "" && !slices.Contains(OwnFamilies(), event) {
		return nil, AuditCursor{}, faultf(ErrInvalid, "%q is no part of one's own log", event)
	}
	f := AuditFilter{Subject: c.User, Event: event, Before: before, Limit: ownBatch}
	since := s.now().Add(-ownAttempts)
	for looked := 0; looked < ownLooked; looked += ownBatch {
		rows, err := s.Audit(ctx, f)
		if err != nil {
			return nil, AuditCursor{}, err
		}
		for i := range rows {
			e := rows[i]
			if f.Before = e.Cursor(); !ownEvent(&e) || strings.HasPrefix(e.Event, "login.") && e.Time.Before(since) {
				continue
			}
			if e.Actor != c.User && !strings.HasPrefix(e.Event, "login.") && e.Event != EventDeviceNew {
				e.Remote, e.Session, e.Via = "", "", ""
			}
			list = append(list, e)
			if len(list) == limit {
				return list, f.Before, nil
			}
		}
		if len(rows) < ownBatch {
			return list, AuditCursor{}, nil
		}
	}
	return list, f.Before, nil
}

// ExportOwnLog writes what OwnLog reads, as CSV or JSON, at most 10,000 rows.
func (s *Service) ExportOwnLog(ctx context.Context, c Credentials, event string, format AuditFormat, w io.Writer) error {
	if format != AuditCSV && format != AuditJSON {
		return faultf(ErrInvalid, "the log is exported as csv or json, not as %q", string(format))
	}
	out := newAuditWriter(format, w)
	var at AuditCursor
	for range 10 {
		list, next, err := s.OwnLog(ctx, c, event, at, 1000)
		if err != nil {
			return err
		}
		for i := range list {
			if err := out.row(&list[i]); err != nil {
				return err
			}
		}
		if next == (AuditCursor{}) {
			break
		}
		at = next
	}
	return out.end()
}
