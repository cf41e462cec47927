package identity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Announcement is what people are told on all roads, or some.
type Announcement struct {
	ID        string
	Text      string            // lines, divided by "\n"
	Texts     map[string]string // the same in other languages, by tag
	Audience  Audience
	Places    []Place
	From      time.Time
	Until     time.Time // zero: until somebody ends it
	CreatedAt time.Time
	CreatedBy string    // "" for the machine's owner
	EndedAt   time.Time // zero: nobody has ended it
	EndedBy   string

	only   UserID // of a preview: who is told
	begins int64  // which one it was to begin since the start; 0: before that, or not yet
}

// Place is where people are told.
type Place string

// The places: a banner on the web pages, a message in chat, lines of FTP's answer to a log-in.
const (
	PlaceWeb  Place = "web"
	PlaceChat Place = "xmpp"
	PlaceFTP  Place = "ftp"
)

// Places lists all.
func Places() []Place { return []Place{PlaceWeb, PlaceChat, PlaceFTP} }

// AudienceKind is how the people of an announcement are chosen.
type AudienceKind string

// The kinds. AudienceOnline are those whose session has begun before the announcement.
const (
	AudienceAll    AudienceKind = "all"
	AudienceOnline AudienceKind = "online"
	AudienceLevel  AudienceKind = "level" // of that level at least
	AudienceGroup  AudienceKind = "group"
)

// Audience is who is told. Nobody is who has not logged in.
type Audience struct {
	Kind  AudienceKind
	Level Level
	Group string // name of the group, with its domain where that is not the default one
	gid   uint32
}

// ParseAudience reads all, online, level:20, level:staff or group:NAME.
func ParseAudience(text string) (Audience, error) {
	kind, arg, given := strings.Cut(strings.TrimSpace(text), ":")
	a := Audience{Kind: AudienceKind(kind)}
	switch a.Kind {
	case AudienceAll, AudienceOnline:
		if !given {
			return a, nil
		}
	case AudienceLevel:
		if l, err := ParseLevel(arg); err == nil && l.Holdable() {
			a.Level = l
			return a, nil
		}
	case AudienceGroup:
		if arg != "" {
			a.Group = arg
			return a, nil
		}
	}
	return Audience{}, faultf(ErrInvalid, "%q says of nobody who is told: all, online, level:staff or group:NAME", clip(text, 100))
}

// String is what ParseAudience reads.
func (a Audience) String() string {
	switch a.Kind {
	case AudienceLevel:
		return "level:" + a.Level.String()
	case AudienceGroup:
		return "group:" + a.Group
	}
	return string(a.Kind)
}

// GID is that of the audience's group, 0 where there is none.
func (a Audience) GID() uint32 { return a.gid }

// SetGID is for stores.
func (a *Audience) SetGID(gid uint32) { a.gid = gid }

// AnnouncementState is where an announcement stands.
type AnnouncementState string

// The states.
const (
	AnnouncementScheduled AnnouncementState = "scheduled"
	AnnouncementActive    AnnouncementState = "active"
	AnnouncementOver      AnnouncementState = "over"  // its time has passed
	AnnouncementEnded     AnnouncementState = "ended" // somebody has ended it
)

// State is where it stands at a time.
func (a *Announcement) State(at time.Time) AnnouncementState {
	switch {
	case !a.EndedAt.IsZero():
		return AnnouncementEnded
	case !a.Until.IsZero() && !at.Before(a.Until):
		return AnnouncementOver
	case at.Before(a.From):
		return AnnouncementScheduled
	}
	return AnnouncementActive
}

// In is the text in a language, as a tag such as de-AT, or the one for all others.
func (a *Announcement) In(tag string) string {
	for tag = strings.ToLower(tag); tag != ""; {
		if text, ok := a.Texts[tag]; ok {
			return text
		}
		cut := strings.LastIndexByte(tag, '-')
		if cut < 0 {
			break
		}
		tag = tag[:cut]
	}
	return a.Text
}

// Preview reports whether it is shown to one person alone, to be looked at.
func (a *Announcement) Preview() bool { return a.only != "" }

// tells reports whether it is for a session, as its snapshot has it.
func (a *Announcement) tells(owner UserID, level Level, gid uint32, gids []uint32, login time.Time) bool {
	if owner == "" {
		return false
	}
	if a.only != "" {
		return a.only == owner
	}
	switch a.Audience.Kind {
	case AudienceAll:
		return true
	case AudienceOnline:
		return login.Before(a.From) || login.Equal(a.From)
	case AudienceLevel:
		return level.Allows(a.Audience.Level)
	case AudienceGroup:
		return a.Audience.gid != 0 && (gid == a.Audience.gid || slices.Contains(gids, a.Audience.gid))
	}
	return false
}

// Tells reports whether it is for a session.
func (a *Announcement) Tells(i *Info) bool {
	if i.LoginAt == nil || i.GID == nil {
		return false
	}
	return a.tells(i.Owner, i.Level, *i.GID, i.GIDs, *i.LoginAt)
}

func (a *Announcement) fields() fields {
	places := make([]string, len(a.Places))
	for i, p := range a.Places {
		places[i] = string(p)
	}
	f := fields{"text": clip(a.Text, shownText), "to": a.Audience.String(), "where": strings.Join(places, ","), "from": a.From.UTC().Format(time.RFC3339), "until": ""}
	if !a.Until.IsZero() {
		f["until"] = a.Until.UTC().Format(time.RFC3339)
	}
	if n := len(a.Texts); n > 0 {
		f["languages"] = strconv.Itoa(n + 1)
	}
	return f
}

// NewAnnouncement is one to be made.
type NewAnnouncement struct {
	Text        string
	Texts       map[string]string // by language
	Audience    Audience
	Places      []Place   // none: all
	From, Until time.Time // zero: now; until somebody ends it
}

// Bounds of announcements.
const (
	MaxAnnouncement  = 2000                 // bytes of a text
	maxAnnounceLines = 30                   // of a text
	maxAnnounceTexts = 20                   // languages
	maxAnnouncements = 50                   // that are scheduled or active
	announceAhead    = 366 * 24 * time.Hour // from now to From, and from there to Until
	keepAnnouncement = 90 * 24 * time.Hour  // after its end
	previewFor       = 10 * time.Minute
	maxPreviews      = 100
)

// cleanAnnouncement is a text as it is kept: nothing in it can become a reply of FTP, or break XML.
func cleanAnnouncement(text string) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	switch {
	case text == "":
		return "", faultf(ErrInvalid, "the text is empty")
	case len(text) > MaxAnnouncement:
		return "", faultf(ErrInvalid, "the text is longer than %d bytes", MaxAnnouncement)
	case strings.ToValidUTF8(text, "") != text:
		return "", faultf(ErrInvalid, "the text is not UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && breaksLine(r) }):
		return "", faultf(ErrInvalid, "the text has a character in it that cannot be shown")
	case strings.Count(text, "\n") >= maxAnnounceLines:
		return "", faultf(ErrInvalid, "the text has more than %d lines", maxAnnounceLines)
	}
	return text, nil
}

// announcement checks what somebody wants to tell.
func (n NewAnnouncement) announcement(by Actor, at time.Time) (Announcement, error) {
	a := Announcement{Audience: n.Audience, From: n.From, Until: n.Until, CreatedAt: at.UTC().Truncate(timeUnit), CreatedBy: by.User}
	var err error
	if a.Text, err = cleanAnnouncement(n.Text); err != nil {
		return a, err
	}
	if len(n.Texts) > maxAnnounceTexts {
		return a, faultf(ErrInvalid, "these are more than %d languages", maxAnnounceTexts)
	}
	for tag, text := range n.Texts {
		tag = strings.ToLower(strings.TrimSpace(tag))
		if tag == "" || len(tag) > 35 || strings.ContainsFunc(tag, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
			return a, faultf(ErrInvalid, "%q is no language such as de", clip(tag, 40))
		}
		if text, err = cleanAnnouncement(text); err != nil {
			return a, fmt.Errorf("%s: %w", tag, err)
		}
		if a.Texts == nil {
			a.Texts = map[string]string{}
		}
		a.Texts[tag] = text
	}
	for _, p := range Places() {
		if len(n.Places) == 0 || slices.Contains(n.Places, p) {
			a.Places = append(a.Places, p)
		}
	}
	for _, p := range n.Places {
		if !slices.Contains(Places(), p) {
			return a, faultf(ErrInvalid, "%q is no place: web, xmpp or ftp", clip(string(p), 40))
		}
	}
	if a.From.IsZero() {
		a.From = at
	}
	a.From, a.Until = a.From.UTC().Truncate(timeUnit), a.Until.UTC().Truncate(timeUnit)
	switch {
	case a.From.Sub(at) > announceAhead:
		return a, faultf(ErrInvalid, "the beginning is more than a year away")
	case n.Until.IsZero():
		a.Until = time.Time{}
	case !a.Until.After(a.From) || !a.Until.After(at):
		return a, faultf(ErrInvalid, "the end is not after the beginning, or has passed")
	case a.Until.Sub(a.From) > announceAhead:
		return a, faultf(ErrInvalid, "the end is more than a year after the beginning")
	}
	return a, nil
}
