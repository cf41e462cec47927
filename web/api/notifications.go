package api

import (
	"context"
	"net/http"
	"time"

	"trivium/identity"
)

// noticesAtOnce are how many notifications one answer has.
const noticesAtOnce = 100

// Notification is something that a person was told.
type Notification struct {
	ID    int64                `json:"id"`
	Kind  identity.NoticeKind  `json:"kind"`
	At    time.Time            `json:"at"`
	Seen  bool                 `json:"seen"`
	About identity.NoticeAbout `json:"about"`
}

// NoticeChoice is by which ways a person hears of a kind.
type NoticeChoice struct {
	Kind identity.NoticeKind `json:"kind"`
	Page bool                `json:"page"`
	Mail bool                `json:"mail"`
	Chat bool                `json:"chat"`
}

func (a *API) registerNotifications() {
	const in = identity.LevelLoggedIn
	handle(a, in, http.MethodGet, "/notifications", "list-notifications", "List what you were told about your account, the newest first", a.listNotifications)
	handle(a, in, http.MethodPost, "/notifications/seen", "see-notifications", "Mark notifications as read: those named, or all", a.seeNotifications)
	handle(a, in, http.MethodGet, "/notifications/settings", "list-notices", "List by which ways you hear of what", a.listNotices)
	handle(a, in, http.MethodPut, "/notifications/settings", "set-notices", "Choose by which ways you hear of what; what is fixed goes on", a.setNotices)
}

// person is who asks for something of their own; the control socket is nobody.
func person(ctx context.Context) (identity.UserID, error) {
	if c := who(ctx); c.owner != "" {
		return c.owner, nil
	}
	return "", hidden()
}

func (a *API) listNotifications(ctx context.Context, in *struct {
	Before int64 `query:"before" minimum:"0" doc:"an id: only older ones"`
}) (*struct{ Body []Notification }, error) {
	user, err := person(ctx)
	if err != nil {
		return nil, err
	}
	list, err := a.id.Notifications(ctx, user, in.Before, noticesAtOnce)
	if err != nil {
		return nil, err
	}
	return listed(list, func(n identity.Notification) Notification {
		return Notification{n.ID, n.Kind, n.At.UTC(), n.Seen, n.About}
	}), nil
}

func (a *API) seeNotifications(ctx context.Context, in *struct {
	Body struct {
		IDs []int64 `json:"ids,omitempty" maxItems:"500" doc:"none: all"`
	}
}) (*nothing, error) {
	user, err := person(ctx)
	if err != nil {
		return nil, err
	}
	return nil, a.id.See(ctx, user, in.Body.IDs...)
}

func (a *API) listNotices(ctx context.Context, _ *struct{}) (*struct{ Body []NoticeChoice }, error) {
	user, err := person(ctx)
	if err != nil {
		return nil, err
	}
	ways, err := a.id.NoticeWaysOf(ctx, user)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body []NoticeChoice }{}
	for _, r := range identity.NoticeRules() {
		w := ways[r.Kind]
		out.Body = append(out.Body, NoticeChoice{r.Kind, w.Has(identity.NoticePage), w.Has(identity.NoticeMail), w.Has(identity.NoticeChat)})
	}
	return out, nil
}

func (a *API) setNotices(ctx context.Context, in *struct {
	Body []NoticeChoice `maxItems:"50"`
}) (*struct{ Body []NoticeChoice }, error) {
	user, err := person(ctx)
	if err != nil {
		return nil, err
	}
	ways := map[identity.NoticeKind]identity.NoticeWays{}
	for _, c := range in.Body {
		var w identity.NoticeWays
		for _, x := range []struct {
			on  bool
			way identity.NoticeWays
		}{{c.Page, identity.NoticePage}, {c.Mail, identity.NoticeMail}, {c.Chat, identity.NoticeChat}} {
			if x.on {
				w |= x.way
			}
		}
		ways[c.Kind] = w
	}
	if err := a.id.SetNoticeWays(ctx, who(ctx).actor, user, ways); err != nil {
		return nil, err
	}
	return a.listNotices(ctx, nil)
}
