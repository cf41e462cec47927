package api

import (
	"context"
	"net/http"
	"time"

	"trivium/identity"
)

// Announcement is what people are told, as JSON.
type Announcement struct {
	ID        string            `json:"id"`
	Text      string            `json:"text"`
	Texts     map[string]string `json:"texts" doc:"the same in other languages, by tag"`
	To        string            `json:"to" doc:"all, online, level:NAME or group:NAME"`
	Where     []string          `json:"where" doc:"web, xmpp, ftp"`
	From      time.Time         `json:"from"`
	Until     *time.Time        `json:"until"`
	State     string            `json:"state" enum:"scheduled,active,over,ended"`
	CreatedAt time.Time         `json:"created_at"`
	CreatedBy string            `json:"created_by"`
	EndedAt   *time.Time        `json:"ended_at"`
	EndedBy   string            `json:"ended_by"`
}

// announcementIn is one to be made.
type announcementIn struct {
	Text  string            `json:"text" minLength:"1" maxLength:"2000" doc:"lines, divided by \\n"`
	Texts map[string]string `json:"texts,omitempty" doc:"the same in other languages, by tag such as de"`
	To    string            `json:"to,omitempty" maxLength:"300" doc:"all, online (those who are logged in now), level:20, level:staff or group:NAME; empty: all"`
	Where []string          `json:"where,omitempty" maxItems:"3" enum:"web,xmpp,ftp" doc:"empty: everywhere"`
	From  *time.Time        `json:"from,omitempty" doc:"absent: now"`
	Until *time.Time        `json:"until,omitempty" doc:"absent: until somebody ends it"`
}

func (in announcementIn) announcement() (n identity.NewAnnouncement, err error) {
	n = identity.NewAnnouncement{Text: in.Text, Texts: in.Texts, Audience: identity.Audience{Kind: identity.AudienceAll}}
	if in.To != "" {
		if n.Audience, err = identity.ParseAudience(in.To); err != nil {
			return n, err
		}
	}
	for _, w := range in.Where {
		n.Places = append(n.Places, identity.Place(w))
	}
	if in.From != nil {
		n.From = *in.From
	}
	if in.Until != nil {
		n.Until = *in.Until
	}
	return n, nil
}

func announcementJSON(a identity.Announcement, at time.Time) Announcement {
	out := Announcement{ID: a.ID, Text: a.Text, Texts: a.Texts, To: a.Audience.String(), Where: []string{}, From: a.From.UTC(), Until: moment(a.Until),
		State: string(a.State(at)), CreatedAt: a.CreatedAt.UTC(), CreatedBy: a.CreatedBy, EndedAt: moment(a.EndedAt), EndedBy: a.EndedBy}
	for _, p := range a.Places {
		out.Where = append(out.Where, string(p))
	}
	if out.Texts == nil {
		out.Texts = map[string]string{}
	}
	return out
}

type announcementID struct {
	ID string `path:"id"`
}

func (a *API) registerAnnouncements() {
	const admin = identity.LevelAdmin
	handle(a, admin, http.MethodGet, "/announcements", "list-announcements", "List announcements, the newest first", a.listAnnouncements)
	handle(a, admin, http.MethodPost, "/announcements", "add-announcement", "Tell people something: on the web pages, in chat and by FTP", a.addAnnouncement)
	handle(a, admin, http.MethodPost, "/announcements/preview", "preview-announcement", "Show it to oneself alone, in one's own sessions, for ten minutes", a.previewAnnouncement)
	handle(a, admin, http.MethodPost, "/announcements/{id}/end", "end-announcement", "Tell it nobody any more", a.endAnnouncement)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/me/announcements", "my-announcements", "List what one is told on the web pages now", a.myAnnouncements)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/me/announcements/{id}/put-away", "put-away-announcement", "See it no more on the web pages", a.putAwayAnnouncement)
}

type announcementOut struct {
	Status int
	Body   Announcement
}

func (a *API) listAnnouncements(ctx context.Context, _ *struct{}) (*struct{ Body []Announcement }, error) {
	list, err := a.id.Announcements(ctx)
	if err != nil {
		return nil, err
	}
	return a.announcementsJSON(list), nil
}

func (a *API) announcementsJSON(list []identity.Announcement) *struct{ Body []Announcement } {
	now := a.now()
	return listed(list, func(x identity.Announcement) Announcement { return announcementJSON(x, now) })
}

func (a *API) addAnnouncement(ctx context.Context, in *struct{ Body announcementIn }) (*announcementOut, error) {
	return a.announce(ctx, in.Body, a.id.Announce)
}

func (a *API) previewAnnouncement(ctx context.Context, in *struct{ Body announcementIn }) (*announcementOut, error) {
	return a.announce(ctx, in.Body, a.id.PreviewAnnouncement)
}

func (a *API) announce(ctx context.Context, in announcementIn, do func(context.Context, identity.Actor, identity.NewAnnouncement) (identity.Announcement, error)) (*announcementOut, error) {
	n, err := in.announcement()
	if err != nil {
		return nil, err
	}
	x, err := do(ctx, who(ctx).actor, n)
	if err != nil {
		return nil, err
	}
	return &announcementOut{http.StatusCreated, announcementJSON(x, a.now())}, nil
}

func (a *API) endAnnouncement(ctx context.Context, in *announcementID) (*nothing, error) {
	return nil, a.id.EndAnnouncement(ctx, who(ctx).actor, in.ID)
}

func (a *API) myAnnouncements(ctx context.Context, _ *struct{}) (*struct{ Body []Announcement }, error) {
	ses := who(ctx).session
	if ses == nil { // the machine's owner has no account
		return a.announcementsJSON(nil), nil
	}
	list, err := a.id.Unannounced(ctx, ses, identity.PlaceWeb)
	if err != nil {
		return nil, err
	}
	return a.announcementsJSON(list), nil
}

func (a *API) putAwayAnnouncement(ctx context.Context, in *announcementID) (*nothing, error) {
	ses := who(ctx).session
	if ses == nil {
		return nil, notFound("announcement", in.ID, "")
	}
	return nil, a.id.PutAway(ctx, ses, in.ID)
}
