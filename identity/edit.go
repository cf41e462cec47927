package identity

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"time"
)

// edit is one change of accounts in its transaction: what it writes, whose sessions it concerns,
// and its rows of the audit log.
type edit struct {
	StoreWriter
	concerned []UserID
	named     map[UserID]struct{} // the same
	rules     bool                // the store's rules of the policy are others
	events    []AuditEvent
	ended     []EndedGrant // of applications, which are told of it
}

// concern names accounts whose sessions are to be looked at once the change is committed.
func (e *edit) concern(ids ...UserID) {
	if e.named == nil {
		e.named = make(map[UserID]struct{}, len(ids))
	}
	for _, id := range ids {
		if _, ok := e.named[id]; !ok {
			e.named[id] = struct{}{}
			e.concerned = append(e.concerned, id)
		}
	}
}

// fields are what the audit log shows of a thing, by name; nothing secret.
type fields map[string]any

// note adds a row of the audit log: the fields that differ, before and after; of a new thing
// those that say something.
func (e *edit) note(event, subject string, before, after fields) {
	was, is := fields{}, fields{}
	for k, v := range before {
		if !reflect.DeepEqual(v, after[k]) {
			was[k] = v
		}
	}
	for k, v := range after {
		if unset := before == nil && (v == "" || v == int64(0)); !unset && !reflect.DeepEqual(v, before[k]) {
			is[k] = v
		}
	}
	e.events = append(e.events, AuditEvent{Event: event, Subject: subject, Result: "ok", Before: was.text(), After: is.text()})
}

// text is f as JSON; "" where it holds nothing.
func (f fields) text() string {
	if len(f) == 0 {
		return ""
	}
	b, err := json.Marshal(f)
	if err != nil {
		return "" // no value here can fail
	}
	return string(b)
}

// edit runs fn in a transaction, writes its audit rows with it, and lets the change take effect
// on live sessions before it returns.
func (s *Service) edit(ctx context.Context, by Actor, fn func(e *edit) error) error {
	var e *edit
	err := s.audit.write(ctx, func(w StoreWriter) ([]AuditEvent, error) {
		e = &edit{StoreWriter: w}
		if err := by.only.check(ctx, w); err != nil {
			return nil, err
		}
		if err := fn(e); err != nil {
			return nil, err
		}
		for i := range e.events {
			ev := &e.events[i]
			ev.Time, ev.Actor, ev.Via, ev.Remote = s.now(), by.User, by.Via, by.Remote
			*ev = cleaned(*ev)
		}
		return e.events, nil
	})
	s.known.forget() // also after an error, which may leave open whether it was committed
	if err != nil {
		return err
	}
	by.only.done()
	if e.rules {
		s.rulesChanged(ctx)
	}
	s.tellGrants(e.ended)
	if len(e.concerned) > 0 {
		s.reconcile(ctx, e.concerned...)
	}
	for _, ev := range e.events {
		s.log.LogAttrs(ctx, slog.LevelInfo, "accounts changed", slog.String("event", ev.Event), slog.String("subject", ev.Subject),
			slog.String("actor", ev.Actor), slog.String("via", ev.Via))
	}
	return nil
}

// shownUser is what the audit log says of a user.
func shownUser(u User) fields {
	f := fields{"level": u.Level.String(), "state": string(u.State), "uid": u.UID, "gid": u.GID,
		"quota_bytes": u.QuotaBytes, "quota_files": u.QuotaFiles, "protocols": roadNames(u.Roads),
		"upload_rate": u.Rates.Upload, "download_rate": u.Rates.Download, "transfers": int64(u.Rates.Transfers),
		"email": u.Profile.Email, "display": u.Profile.Name, "phone": u.Profile.Phone, "about": clip(u.Profile.About, shownText),
		"lang": u.Profile.Lang, "formats": u.Profile.Formats, "time_zone": u.Profile.TimeZone, "expires_at": ""}
	if u.Profile.KeysOff {
		f["keys_off"] = true
	}
	if u.MustChange {
		f["must_change"] = true
	}
	if !u.ExpiresAt.IsZero() {
		f["expires_at"] = u.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return f
}

// shownText is how many bytes of a long text the audit log shows.
const shownText = 256

func roadNames(roads []Road) string {
	names := make([]string, len(roads))
	for i, r := range roads {
		names[i] = string(r)
	}
	return strings.Join(names, ",")
}

// clip shortens s to at most n bytes at the border of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
