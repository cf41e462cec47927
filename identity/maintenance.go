package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Maintenance says whether the server is closed to all but those who look after it: a new log-in needs
// LevelAdmin then, and on the web pages LevelModerator. It outlives a restart.
type Maintenance struct {
	On      bool      `json:"on"`
	Message string    `json:"message"`        // one line for people; "" for none
	Until   time.Time `json:"until,omitzero"` // when it should be over; it does not end by itself; zero: nobody knows
	Since   time.Time `json:"since,omitzero"` // zero while it is off
	By      string    `json:"by"`             // who began it; "" for the machine's owner
}

// MaintenanceChange is what SetMaintenance sets.
type MaintenanceChange struct {
	On      bool
	Message string    // one line, at most MaxMaintenanceMessage bytes
	Until   time.Time // zero: nobody knows
	End     bool      // those sessions end, too, that are there and would get no log-in now
}

// EventMaintenanceOn and EventMaintenanceOff are the rows about it.
const (
	EventMaintenanceOn  = "maintenance.on"
	EventMaintenanceOff = "maintenance.off"
)

// Bounds of maintenance.
const (
	MaxMaintenanceMessage = 500                  // bytes
	maxMaintenance        = 366 * 24 * time.Hour // from now to Until
	maintenanceRetry      = 5 * time.Minute      // after which to try again, where nobody knows the end
	endAtOnce             = 256                  // sessions that are ended with one hold of the list
)

// maintenanceSetting is where the store keeps it.
const maintenanceSetting = "maintenance"

// Maintenance is what holds now.
func (s *Service) Maintenance() Maintenance { return *s.maintenance.Load() }

// Closed is nil, or the error for somebody who has not logged in and comes to use the server: it
// wraps ErrMaintenance, MaintenanceMessage has its words, and RetryAfter says when to come again.
func (s *Service) Closed() error {
	m := s.maintenance.Load()
	if !m.On {
		return nil
	}
	after := maintenanceRetry
	if left := m.Until.Sub(s.now()); left > 0 {
		after = left
	}
	return &maintenanceError{waitError{ErrMaintenance, after}, m.Message}
}

// maintenanceError carries what people are told of a maintenance.
type maintenanceError struct {
	wait    waitError
	message string
}

func (e *maintenanceError) Error() string {
	if e.message != "" {
		return ErrMaintenance.Error() + ": " + e.message
	}
	return ErrMaintenance.Error()
}
func (e *maintenanceError) Unwrap() error { return &e.wait }

// MaintenanceMessage is what an administrator says about the maintenance that is the reason of err; ""
// where there are no words, or err has another reason.
func MaintenanceMessage(err error) string {
	var m *maintenanceError
	if errors.As(err, &m) {
		return m.message
	}
	return ""
}

// works reports whether an account of that level may log in while the server is in maintenance.
func (m *Maintenance) works(level Level, p Protocol) bool {
	need := LevelAdmin
	if p == ProtocolWeb {
		need = LevelModerator
	}
	return !m.On || level.Allows(need)
}

// open is nil where somebody of that level may log in now; s.truth is held.
func (s *Service) open(level Level, p Protocol) error {
	if s.maintenance.Load().works(level, p) {
		return nil
	}
	return s.Closed()
}

// SetMaintenance begins, changes or ends a maintenance, and with End ends sessions: ended is how many.
// When it returns nobody gets in any more who may not. ErrRefused below LevelAdmin.
func (s *Service) SetMaintenance(ctx context.Context, by Actor, c MaintenanceChange) (now Maintenance, ended int, err error) {
	if !by.Level.Allows(changeSettings) || by.Level == LevelNobody {
		return now, 0, faultf(ErrRefused, "maintenance needs the level %s; yours is %s", changeSettings, by.Level)
	}
	if now, err = s.maintenanceOf(by, c); err != nil {
		return now, 0, err
	}
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	var next keptMaintenance
	err = s.edit(ctx, by, func(e *edit) error {
		was, err := readMaintenance(ctx, e)
		if err != nil {
			return err
		}
		if was.On && now.On {
			now.Since, now.By = was.Since, was.By
		}
		if next = (keptMaintenance{Maintenance: now}); now.On {
			next.EndedAt = was.EndedAt
			if c.End {
				next.EndedAt = s.now().UTC().Truncate(timeUnit)
			}
		}
		if next == was {
			return nil
		}
		if now != was.Maintenance {
			event := EventMaintenanceOn
			if !now.On {
				event = EventMaintenanceOff
			}
			e.note(event, "server", was.fields(), now.fields())
		}
		value := ""
		if now.On {
			b, err := json.Marshal(next)
			if err != nil {
				return fmt.Errorf("writing the maintenance: %w", err)
			}
			value = string(b)
		}
		if err := e.PutSetting(ctx, maintenanceSetting, value); err != nil {
			return err
		}
		return e.TouchServer(ctx)
	})
	if err != nil {
		return now, 0, err
	}
	s.setMaintenance(next)
	if now.On && c.End {
		ended = s.endForMaintenance(&now, by)
	}
	return now, ended, nil
}

// keptMaintenance is what the store has. EndedAt is when somebody ended the sessions that would get no log-in,
// for the other nodes to end theirs.
type keptMaintenance struct {
	Maintenance
	EndedAt time.Time `json:"ended_at,omitzero"`
}

// pollMaintenance takes over what another process has begun, changed or ended.
func (s *Service) pollMaintenance(ctx context.Context) error {
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	m, err := readMaintenance(ctx, s.store)
	if err != nil || m == s.maintained {
		return err
	}
	end := m.On && m.EndedAt.After(s.maintained.EndedAt)
	s.setMaintenance(m)
	if end {
		s.endForMaintenance(&m.Maintenance, Actor{User: m.By, Via: ViaServer})
	}
	return nil
}

// maintenanceOf checks a change.
func (s *Service) maintenanceOf(by Actor, c MaintenanceChange) (Maintenance, error) {
	text, at := strings.TrimSpace(c.Message), s.now()
	switch {
	case !c.On:
		return Maintenance{}, nil
	case len(text) > MaxMaintenanceMessage:
		return Maintenance{}, faultf(ErrInvalid, "the message is longer than %d bytes", MaxMaintenanceMessage)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, breaksLine):
		return Maintenance{}, faultf(ErrInvalid, "the message has to be one line of text")
	case !c.Until.IsZero() && !c.Until.After(at):
		return Maintenance{}, faultf(ErrInvalid, "the time at which it should be over has passed")
	case c.Until.Sub(at) > maxMaintenance:
		return Maintenance{}, faultf(ErrInvalid, "the time at which it should be over is more than a year away")
	}
	m := Maintenance{On: true, Message: text, Since: at.UTC().Truncate(time.Second), By: by.User}
	if !c.Until.IsZero() {
		m.Until = c.Until.UTC().Truncate(time.Second)
	}
	return m, nil
}

// breaksLine reports whether a character cannot stand within a line of text: it ends one somewhere, or
// is no character to see.
func breaksLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufffe' || r == '\uffff'
}

func (m Maintenance) fields() fields {
	f := fields{"on": m.On, "message": m.Message, "until": ""}
	if !m.Until.IsZero() {
		f["until"] = m.Until.Format(time.RFC3339)
	}
	return f
}

// setMaintenance lets it take effect: log-ins that have been let in before are listed when it returns.
// s.maintaining is held.
func (s *Service) setMaintenance(m keptMaintenance) {
	s.maintained = m
	s.truth.Lock()
	defer s.truth.Unlock()
	s.maintenance.Store(&m.Maintenance)
}

// readMaintenance reads what the store has.
func readMaintenance(ctx context.Context, r StoreReader) (m keptMaintenance, err error) {
	text, err := r.Setting(ctx, maintenanceSetting)
	if errors.Is(err, ErrNotFound) || err == nil && text == "" {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("reading whether there is a maintenance: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("reading whether there is a maintenance: %w", err)
	}
	return m, nil
}

// loadMaintenance takes over what the store has.
func (s *Service) loadMaintenance(ctx context.Context) error {
	m, err := readMaintenance(ctx, s.store)
	if err == nil {
		s.maintained = m
		s.maintenance.Store(&m.Maintenance)
	}
	return err
}

// endForMaintenance ends the sessions that would get no log-in now, some at a time, so that the list is
// free for others between. A browser that has not logged in has nothing to lose, and may be about to.
func (s *Service) endForMaintenance(m *Maintenance, by Actor) (n int) {
	why := Reason{Code: ReasonMaintenance, Text: "the server is in maintenance", By: &by}
	if m.Message != "" {
		why.Text += ": " + m.Message
	}
	var some []*Session
	end := func() {
		n += len(s.Registry.finish(some, why, true))
		some = some[:0]
	}
	for _, ses := range s.Registry.find(Filter{}) {
		a, ok := ses.attached()
		if !ok || m.works(a.rank, ses.protocol) || ses.browser != nil && a.creds.Anonymous() {
			continue
		}
		if some = append(some, ses); len(some) == endAtOnce {
			end()
		}
	}
	end()
	return n
}
