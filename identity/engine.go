package identity

import (
	"net/netip"
	"time"
)

// EngineData is what the engine keeps of a browser session: the fields of Node++'s
// eng_session_data_t, in its order and by its names. Those of the users table are as of now.
type EngineData struct {
	SessID    string `json:"sessid"` // the selector of the cookie: it changes with it, and opens nothing
	IP        string `json:"ip"`
	UserAgent string `json:"uagent"`
	Referer   string `json:"referer"` // of the session's first request
	Lang      string `json:"lang"`
	Formats   string `json:"formats"` // of dates and numbers: a language tag
	AuthLevel Level  `json:"auth_level"`

	UserID  UserID `json:"user_id"` // "": nobody is logged in
	Login   string `json:"login"`
	Email   string `json:"email"`
	Name    string `json:"name"`
	Phone   string `json:"phone"`
	About   string `json:"about"`
	GroupID uint32 `json:"group_id"`

	TZOffset int  `json:"tz_offset"` // minutes east of UTC
	TZSet    bool `json:"tz_set"`    // the browser, or the person, has said it

	CSRF         string    `json:"csrft"`
	LastActivity time.Time `json:"last_activity"`
}

// Bounds of tz_offset, in minutes: no place is further from UTC.
const (
	minOffset = -14 * 60
	maxOffset = 14 * 60
)

// Engine is a snapshot of the session's engine data.
func (b *Browser) Engine() EngineData { return b.record.engine() }

// engine gathers the fields from where each is kept.
func (rec *browserRecord) engine() EngineData {
	ses := rec.session
	ses.mu.Lock()
	a, level, details, remote := ses.has, ses.level, ses.details, ses.remote
	ses.mu.Unlock()
	e := EngineData{IP: hostText(remote.Addr()), UserAgent: details.UserAgent, Lang: details.Lang, Formats: details.Lang,
		AuthLevel: level, LastActivity: ses.LastActivity().UTC(), GroupID: AnonymousID}
	if a != nil {
		e.GroupID = a.creds.GID
	}
	zone := ""
	if a != nil && !a.creds.Anonymous() {
		c := &a.creds
		e.UserID, e.Login, e.Email, e.Name, e.Phone, e.About = c.UserID, c.User, c.Profile.Email, c.Profile.Name, c.Profile.Phone, c.Profile.About
		if c.Profile.Lang != "" {
			e.Lang, e.Formats = c.Profile.Lang, c.Profile.Lang
		}
		if c.Profile.Formats != "" {
			e.Formats = c.Profile.Formats
		}
		zone = c.Profile.TimeZone
	}
	rec.all.mu.Lock()
	defer rec.all.mu.Unlock()
	e.SessID, e.Referer, e.CSRF = rec.selector, rec.referer, rec.csrf
	e.TZOffset, e.TZSet = rec.tzOffset, rec.tzSet
	if zone != "" { // what the person has chosen goes before what the browser says
		if loc, err := time.LoadLocation(zone); err == nil {
			_, seconds := ses.registry.now().In(loc).Zone()
			e.TZOffset, e.TZSet = seconds/60, true
		}
	}
	return e
}

func hostText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// SetTimeZone notes how many minutes east of UTC the browser's clock is (Node++ tz_offset, tz_set).
// ErrInvalid where no place on earth is.
func (b *Browser) SetTimeZone(minutes int) error {
	if minutes < minOffset || minutes > maxOffset {
		return faultf(ErrInvalid, "a time zone is at most 14 hours from UTC, not %d minutes", minutes)
	}
	b.record.all.mu.Lock()
	defer b.record.all.mu.Unlock()
	rec := b.record
	if rec.tzSet && rec.tzOffset == minutes {
		return nil
	}
	rec.tzOffset, rec.tzSet, rec.dirty = minutes, true, true
	return nil
}

// TimeZone is what SetTimeZone has noted; false before.
func (b *Browser) TimeZone() (minutes int, set bool) {
	b.record.all.mu.Lock()
	defer b.record.all.mu.Unlock()
	return b.record.tzOffset, b.record.tzSet
}
