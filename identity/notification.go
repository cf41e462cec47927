package identity

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Bounds of what is kept for people to read.
const (
	maxNotifications = 500
	maxNoticeText    = 256 // bytes of each of its texts
	notificationLife = 90 * 24 * time.Hour
	noticeMost       = 10 // of one kind that one person gets within noticeWindow by Tell
	noticeWindow     = time.Hour
	noticeQueue      = 256 // that wait to be told
	unseenLife       = 10 * time.Second
	maxUnseen        = 10_000 // counts that are remembered
)

// NoticeWays are the ways by which a person hears of something.
type NoticeWays uint8

// The ways.
const (
	NoticePage NoticeWays = 1 << iota
	NoticeMail
	NoticeChat
)

// Has reports whether all of some ways are among w.
func (w NoticeWays) Has(some NoticeWays) bool { return w&some == some }

// NoticeRule is a kind of notices that people decide about.
type NoticeRule struct {
	Kind NoticeKind
	Ways NoticeWays // where the person has chosen nothing
	// Fixed cannot be switched off: whoever takes an account over would do that first.
	Fixed NoticeWays
}

// NoticeRules lists the kinds that stand on the page, in its order.
func NoticeRules() []NoticeRule {
	const all = NoticePage | NoticeMail | NoticeChat
	return []NoticeRule{
		{NoticeDevice, all, NoticePage}, {NoticePassword, all, NoticePage | NoticeMail}, {NoticeFactor, all, NoticePage | NoticeMail},
		{NoticeEmail, all, NoticePage | NoticeMail}, {NoticeClone, all, NoticePage | NoticeMail}, {NoticeToken, NoticePage, NoticePage},
		{NoticeTokenUse, NoticePage, 0}, {NoticeSession, NoticePage, NoticePage}, {NoticeExport, NoticePage | NoticeMail, NoticePage},
		{NoticeQuota, NoticePage, 0}, {NoticeContact, NoticePage, 0}, {NoticeShare, 0, 0},
	}
}

// Notification is a notice as its person finds it on the page.
type Notification struct {
	ID    int64
	User  UserID
	Kind  NoticeKind
	At    time.Time
	Seen  bool
	About NoticeAbout
}

// NoticeAbout is what a notice tells; what is not known is "".
type NoticeAbout struct {
	Protocol Protocol `json:"protocol,omitempty"`
	Client   string   `json:"client,omitempty"`
	Remote   string   `json:"remote,omitempty"`
	Location string   `json:"location,omitempty"`
	By       string   `json:"by,omitempty"`
	What     string   `json:"what,omitempty" doc:"the label of a factor or app password, the path of a share, who asks to be a contact"`
	Removed  bool     `json:"removed,omitempty"`
	Session  string   `json:"session,omitempty"`
}

// tellKey is whom Tell tells of what.
type tellKey struct {
	user UserID
	kind NoticeKind
}

// notifications is what the service knows of who has read what.
type notifications struct {
	rate  *allowance[tellKey]
	first *allowance[string] // IDs of tokens: log-ins go by what was read of a token before another one was counted
	queue chan toTell

	mu       sync.Mutex // guards what follows
	unseen   map[UserID]unseenCount
	watchers map[UserID]map[chan struct{}]struct{}
	swept    time.Time
}

type unseenCount struct {
	n  int
	at time.Time
}

type toTell struct {
	user UserID
	name string // where user is ""
	n    Notice
}

func newNotifications() *notifications {
	return &notifications{rate: newAllowance[tellKey](noticeMost, noticeWindow), first: newAllowance[string](1, noticeWindow), queue: make(chan toTell, noticeQueue),
		unseen: map[UserID]unseenCount{}, watchers: map[UserID]map[chan struct{}]struct{}{}}
}

// Tell lets a person hear of something, by the ways that the person wants; n says what, and Tell to whom
// and, where n has no time, when. Of one kind there are at most ten an hour: what is more is dropped. Like
// Run's own notices it is told behind: nobody waits for a store or a mail.
func (s *Service) Tell(user UserID, n Notice) {
	if user != "" && s.notes.rate.take(tellKey{user, n.Kind}, s.now()) == 0 {
		s.tellLater(toTell{user: user, n: n})
	}
}

// TellName is Tell for whom only the name, a login or login@domain, is known; it has no bound of its own.
func (s *Service) TellName(name string, n Notice) { s.tellLater(toTell{name: name, n: n}) }

func (s *Service) tellLater(t toTell) {
	if t.n.At.IsZero() {
		t.n.At = s.now()
	}
	select {
	case s.notes.queue <- t:
	default:
		s.log.Warn("too many notices wait; one is dropped", "kind", string(t.n.Kind))
	}
}

// tellBehind brings what waits to people until ctx ends, and what is left then.
func (s *Service) tellBehind(ctx context.Context) {
	for {
		select {
		case t := <-s.notes.queue:
			s.tellOne(ctx, t)
		case <-ctx.Done():
			drain(s.notes.queue, func(t toTell) { s.tellOne(ctx, t) })
			return
		}
	}
}

func (s *Service) tellOne(ctx context.Context, t toTell) {
	ctx = context.WithoutCancel(ctx)
	var a Account
	var err error
	if t.user == "" {
		a, err = s.User(ctx, t.name)
	} else {
		a, err = s.UserByID(ctx, t.user)
	}
	if err != nil {
		return // gone meanwhile
	}
	t.n.User, t.n.Login, t.n.Domain, t.n.Profile = a.ID, a.Login, a.Domain, a.Profile
	s.notify(ctx, t.n)
}

// keepNotice puts a notice where its person finds it, and says by which ways it goes besides.
func (s *Service) keepNotice(ctx context.Context, n Notice) (NoticeWays, error) {
	rules := NoticeRules()
	i := slices.IndexFunc(rules, func(r NoticeRule) bool { return r.Kind == n.Kind })
	if i < 0 || n.User == "" { // a link, which only mail may have
		return NoticeMail, nil
	}
	all := NoticePage | NoticeMail | NoticeChat
	chosen, err := s.store.NoticeChoices(ctx, n.User)
	if err != nil {
		return all, unavailable(ctx, err)
	}
	ways := wayOf(rules[i], chosen)
	if !ways.Has(NoticePage) {
		return ways, nil
	}
	at := n.At
	err = s.store.Write(ctx, func(w StoreWriter) error {
		s.notes.mu.Lock()
		due := at.Sub(s.notes.swept) >= 24*time.Hour
		if due {
			s.notes.swept = at
		}
		s.notes.mu.Unlock()
		if due {
			if err := w.ForgetNotifications(ctx, at.Add(-notificationLife)); err != nil {
				return err
			}
		}
		about := NoticeAbout{Protocol: n.Protocol, Client: n.Client, Remote: n.Remote, Location: n.Location, By: n.By, What: n.What, Removed: n.Removed, Session: n.Session}
		for _, text := range []*string{&about.Client, &about.Remote, &about.Location, &about.By, &about.What} {
			*text = clip(*text, maxNoticeText)
		}
		return w.AddNotification(ctx, Notification{User: n.User, Kind: n.Kind, At: at.UTC().Truncate(timeUnit), About: about}, maxNotifications)
	})
	s.notes.changed(n.User)
	return ways, err
}

// wayOf is how a person hears of a kind.
func wayOf(r NoticeRule, chosen map[NoticeKind]NoticeWays) NoticeWays {
	ways, ok := chosen[r.Kind]
	if !ok {
		ways = r.Ways
	}
	return ways | r.Fixed
}

// Notifications lists what a person was told, the newest first, with IDs below before where that is not 0;
// at most limit, and at most 500 are kept, for 90 days.
func (s *Service) Notifications(ctx context.Context, user UserID, before int64, limit int) ([]Notification, error) {
	list, err := s.store.Notifications(ctx, user, before, limit)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	return list, nil
}

// Unseen counts what a person has not marked as read; it may be some seconds old where another process
// has told.
func (s *Service) Unseen(ctx context.Context, user UserID) (int, error) {
	now := s.now()
	s.notes.mu.Lock()
	c, ok := s.notes.unseen[user]
	s.notes.mu.Unlock()
	if ok && now.Sub(c.at) < unseenLife {
		return c.n, nil
	}
	n, err := s.store.UnseenNotifications(ctx, user)
	if err != nil {
		return 0, unavailable(ctx, err)
	}
	s.notes.mu.Lock()
	defer s.notes.mu.Unlock()
	if len(s.notes.unseen) >= maxUnseen {
		clear(s.notes.unseen)
	}
	s.notes.unseen[user] = unseenCount{n, now}
	return n, nil
}

// See marks notifications of a person as read: those named, or all.
func (s *Service) See(ctx context.Context, user UserID, ids ...int64) error {
	err := s.store.Write(ctx, func(w StoreWriter) error { return w.SeeNotifications(ctx, user, ids...) })
	s.notes.changed(user)
	if err != nil {
		return unavailable(ctx, err)
	}
	return nil
}

// WatchNotifications returns a channel that says that what a person was told, or has read, changed.
func (s *Service) WatchNotifications(ctx context.Context, user UserID) <-chan struct{} {
	c := make(chan struct{}, 1)
	s.notes.mu.Lock()
	defer s.notes.mu.Unlock()
	if s.notes.watchers[user] == nil {
		s.notes.watchers[user] = map[chan struct{}]struct{}{}
	}
	s.notes.watchers[user][c] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.notes.mu.Lock()
		defer s.notes.mu.Unlock()
		delete(s.notes.watchers[user], c)
		if len(s.notes.watchers[user]) == 0 {
			delete(s.notes.watchers, user)
		}
	})
	return c
}

// changed forgets the count of a person, and wakes whoever watches it.
func (x *notifications) changed(user UserID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.unseen, user)
	for c := range x.watchers[user] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// NoticeWaysOf says by which ways a person hears of each kind of NoticeRules.
func (s *Service) NoticeWaysOf(ctx context.Context, user UserID) (map[NoticeKind]NoticeWays, error) {
	chosen, err := s.store.NoticeChoices(ctx, user)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	ways := map[NoticeKind]NoticeWays{}
	for _, r := range NoticeRules() {
		ways[r.Kind] = wayOf(r, chosen)
	}
	return ways, nil
}

// SetNoticeWays sets by which ways the person by hears of what; kinds that are not named stay. What is
// fixed goes on.
func (s *Service) SetNoticeWays(ctx context.Context, by Actor, user UserID, set map[NoticeKind]NoticeWays) error {
	acc, err := s.UserByID(ctx, user)
	if err != nil {
		return err
	}
	if !s.isSelf(by, acc.User) {
		return faultf(ErrRefused, "what a person hears of is that person's to choose")
	}
	for kind, ways := range set {
		if !slices.ContainsFunc(NoticeRules(), func(r NoticeRule) bool { return r.Kind == kind }) || ways > NoticePage|NoticeMail|NoticeChat {
			return faultf(ErrInvalid, "%q is no kind of notice", string(kind))
		}
	}
	return s.audit.write(ctx, func(w StoreWriter) ([]AuditEvent, error) {
		chosen, err := w.NoticeChoices(ctx, user)
		if err != nil {
			return nil, err
		}
		before, after := fields{}, fields{}
		for _, r := range NoticeRules() {
			ways, named := set[r.Kind]
			was := wayOf(r, chosen)
			if ways |= r.Fixed; !named || ways == was {
				continue
			}
			before[string(r.Kind)], after[string(r.Kind)] = was.String(), ways.String()
			if err := w.PutNoticeChoice(ctx, user, r.Kind, ways); err != nil {
				return nil, err
			}
		}
		if len(after) == 0 {
			return nil, nil
		}
		name := s.display(acc.Login, acc.Domain)
		return []AuditEvent{{Time: s.now(), Event: EventNoticeSet, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: name, Result: "ok", Before: before.text(), After: after.text()}}, nil
	})
}

// EventNoticeSet is the event of a person who has chosen by which ways to hear of what.
const EventNoticeSet = "notice.set"

// String names the ways, such as "page mail".
func (w NoticeWays) String() string {
	text := ""
	for i, name := range []string{"page", "mail", "chat"} {
		if w&(1<<i) != 0 {
			if text != "" {
				text += " "
			}
			text += name
		}
	}
	if text == "" {
		return "none"
	}
	return text
}
