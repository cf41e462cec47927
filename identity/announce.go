package identity

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// EventAnnounce and EventAnnounceEnd are the rows about announcements; their subject is the ID.
const (
	EventAnnounce    = "announcement.publish"
	EventAnnounceEnd = "announcement.end"
)

// announcements are those that are scheduled or active, and previews, in memory.
type announcements struct {
	list atomic.Pointer[[]Announcement] // the oldest first; nobody changes it; never nil
	on   []func(Announcement)           // set before Run

	begins atomic.Int64 // how many have begun since the start

	mu    sync.Mutex          // held while list is changed; guards what follows
	begun map[string]struct{} // those that roads have been told of
}

func newAnnouncements() *announcements {
	a := &announcements{begun: map[string]struct{}{}}
	a.list.Store(&[]Announcement{})
	return a
}

// OnAnnounce calls fn when an announcement begins, on the goroutine of whoever made it or of Run. fn
// must not wait. Before Run.
func (s *Service) OnAnnounce(fn func(Announcement)) { s.announced.on = append(s.announced.on, fn) }

// loadAnnouncements reads what holds. Those that have begun already have been told.
func (s *Service) loadAnnouncements(ctx context.Context) error {
	all, err := s.store.Announcements(ctx)
	if err != nil {
		return err
	}
	at := s.now()
	var list []Announcement
	for _, a := range all {
		switch a.State(at) {
		case AnnouncementActive:
			s.announced.begun[a.ID] = struct{}{}
			list = append(list, a)
		case AnnouncementScheduled:
			list = append(list, a)
		}
	}
	s.announced.list.Store(&list)
	return nil
}

// pollAnnouncements takes over what another process has published, changed or ended. Those that have begun
// are begun by the next sweep.
func (s *Service) pollAnnouncements(ctx context.Context) error {
	s.announced.mu.Lock()
	defer s.announced.mu.Unlock()
	all, err := s.store.Announcements(ctx)
	if err != nil {
		return err
	}
	at, begins := s.now(), map[string]int64{}
	var list []Announcement
	for _, a := range *s.announced.list.Load() {
		begins[a.ID] = a.begins
		if a.Preview() {
			list = append(list, a)
		}
	}
	for _, a := range all {
		switch a.State(at) {
		case AnnouncementActive, AnnouncementScheduled:
			a.begins = begins[a.ID]
			list = append(list, a)
		default:
			delete(s.announced.begun, a.ID)
		}
	}
	s.announced.list.Store(&list)
	return nil
}

func mayAnnounce(by Actor) error {
	if !by.Level.Allows(LevelAdmin) || by.Level == LevelNobody {
		return faultf(ErrRefused, "announcements need the level %s; yours is %s", LevelAdmin, by.Level)
	}
	return nil
}

// Announcements lists all that are kept, the newest first; State says where each stands.
func (s *Service) Announcements(ctx context.Context) ([]Announcement, error) {
	list, err := s.store.Announcements(ctx)
	slices.Reverse(list)
	return list, err
}

// Announce publishes an announcement. ErrRefused below LevelAdmin.
func (s *Service) Announce(ctx context.Context, by Actor, n NewAnnouncement) (Announcement, error) {
	if err := mayAnnounce(by); err != nil {
		return Announcement{}, err
	}
	a, err := n.announcement(by, s.now())
	if err != nil {
		return a, err
	}
	a.ID = newID()
	s.announced.mu.Lock()
	err = s.addAnnouncement(ctx, by, &a)
	s.announced.mu.Unlock()
	if err == nil {
		s.beginAnnouncements()
	}
	return a, err
}

// addAnnouncement stores one; announced.mu is held.
func (s *Service) addAnnouncement(ctx context.Context, by Actor, a *Announcement) error {
	now := *s.announced.list.Load()
	if len(now) >= maxAnnouncements+maxPreviews || countFunc(now, func(a *Announcement) bool { return !a.Preview() }) >= maxAnnouncements {
		return faultf(ErrInvalid, "there are %d announcements, which is as many as hold at a time; end one first", maxAnnouncements)
	}
	err := s.edit(ctx, by, func(e *edit) error {
		if err := s.resolveAudience(ctx, e, a); err != nil {
			return err
		}
		e.note(EventAnnounce, a.ID, nil, a.fields())
		return putAnnouncement(ctx, e, *a)
	})
	if err == nil {
		list := append(slices.Clone(now), *a)
		s.announced.list.Store(&list)
	}
	return err
}

// putAnnouncement stores one and lets other processes hear of it.
func putAnnouncement(ctx context.Context, e *edit, a Announcement) error {
	if err := e.PutAnnouncement(ctx, a); err != nil {
		return err
	}
	return e.TouchServer(ctx)
}

func countFunc(list []Announcement, is func(*Announcement) bool) (n int) {
	for i := range list {
		if is(&list[i]) {
			n++
		}
	}
	return n
}

// resolveAudience finds the group that is told.
func (s *Service) resolveAudience(ctx context.Context, r StoreReader, a *Announcement) error {
	switch a.Audience.Kind {
	case AudienceAll, AudienceOnline, AudienceLevel:
		return nil
	case AudienceGroup:
		g, err := s.findGroup(ctx, r, a.Audience.Group, s.opts.Domain)
		if err != nil {
			return err
		}
		a.Audience.gid, a.Audience.Group = g.GID, s.display(g.Name, g.Domain)
		return nil
	}
	return faultf(ErrInvalid, "the announcement says not who is told")
}

// PreviewAnnouncement shows to the actor alone what an announcement looks like, in the sessions that
// there are and those of the next minutes. It is not kept.
func (s *Service) PreviewAnnouncement(ctx context.Context, by Actor, n NewAnnouncement) (Announcement, error) {
	if err := mayAnnounce(by); err != nil {
		return Announcement{}, err
	}
	at := s.now()
	n.From, n.Until = at, at.Add(previewFor)
	a, err := n.announcement(by, at)
	if err != nil {
		return a, err
	}
	if err := s.resolveAudience(ctx, s.store, &a); err != nil {
		return a, err
	}
	acc, err := s.find(ctx, s.store, by.User)
	if by.User == "" || errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) {
		return a, faultf(ErrInvalid, "a preview is for somebody with an account; log in by one")
	}
	if err != nil {
		return a, err
	}
	a.ID, a.only = newID(), acc.ID
	if err := s.announced.addPreview(a); err != nil {
		return a, err
	}
	s.beginAnnouncements()
	return a, nil
}

// addPreview lists one: a person has one at a time, and there are no more than maxPreviews.
func (x *announcements) addPreview(a Announcement) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*x.list.Load()), func(other Announcement) bool { return other.only == a.only })
	if countFunc(list, (*Announcement).Preview) >= maxPreviews {
		return ErrBusy
	}
	list = append(list, a)
	x.list.Store(&list)
	return nil
}

// EndAnnouncement takes one back: nobody is told it any more. ErrNotFound where there is none, or it is
// over.
func (s *Service) EndAnnouncement(ctx context.Context, by Actor, id string) error {
	if err := mayAnnounce(by); err != nil {
		return err
	}
	s.announced.mu.Lock()
	defer s.announced.mu.Unlock()
	now := *s.announced.list.Load()
	i := slices.IndexFunc(now, func(a Announcement) bool { return a.ID == id && !a.Preview() })
	if i < 0 || now[i].State(s.now()) == AnnouncementOver {
		return faultf(ErrNotFound, "no announcement %q that could be ended", clip(id, 40))
	}
	a := now[i]
	a.EndedAt, a.EndedBy = s.now().UTC().Truncate(timeUnit), by.User
	err := s.edit(ctx, by, func(e *edit) error {
		e.note(EventAnnounceEnd, a.ID, a.fields(), nil)
		return putAnnouncement(ctx, e, a)
	})
	if err != nil {
		return err
	}
	list := slices.Delete(slices.Clone(now), i, i+1)
	s.announced.list.Store(&list)
	delete(s.announced.begun, id)
	return nil
}

// beginAnnouncements tells the roads of those whose time has come, and forgets those whose time is over.
func (s *Service) beginAnnouncements() {
	if len(*s.announced.list.Load()) == 0 {
		return
	}
	at := s.now()
	var begin, list []Announcement
	s.announced.mu.Lock()
	now := *s.announced.list.Load()
	for _, a := range now {
		state := a.State(at)
		if _, told := s.announced.begun[a.ID]; state == AnnouncementActive && !told {
			s.announced.begun[a.ID] = struct{}{}
			a.begins = s.announced.begins.Load() + int64(len(begin)) + 1
			begin = append(begin, a)
		}
		if state == AnnouncementOver {
			delete(s.announced.begun, a.ID)
			continue
		}
		list = append(list, a)
	}
	if len(list) < len(now) || len(begin) > 0 {
		s.announced.list.Store(&list)
		s.announced.begins.Add(int64(len(begin))) // after the list: who sees the number finds them
	}
	s.announced.mu.Unlock()
	for _, a := range begin {
		for _, fn := range s.announced.on {
			fn(a)
		}
	}
}

// forgetAnnouncements removes from the store what has been over for long.
func (s *Service) forgetAnnouncements(ctx context.Context) error {
	return s.store.Write(ctx, func(w StoreWriter) error {
		return w.ForgetAnnouncements(ctx, s.now().Add(-keepAnnouncement))
	})
}

// Announced is what a session is told at a place now, the oldest first. It reads no store: most often
// there is nothing.
func (s *Service) Announced(ses *Session, p Place) (out []Announcement) {
	list := *s.announced.list.Load()
	if len(list) == 0 {
		return nil
	}
	c, ok := ses.Credentials()
	if !ok || c.Anonymous() {
		return nil
	}
	at := s.now()
	for i := range list {
		a := &list[i]
		if slices.Contains(a.Places, p) && a.State(at) == AnnouncementActive && a.tells(c.UserID, c.Level, c.GID, c.GIDs, c.LoginAt) {
			out = append(out, *a)
		}
	}
	return out
}

// AnnouncedSince is Announced without what had begun when it returned seen; -1 for all. Where nothing has, it
// costs next to nothing.
func (s *Service) AnnouncedSince(ses *Session, p Place, seen int64) (list []Announcement, now int64) {
	now = s.announced.begins.Load()
	if now == seen {
		return nil, now
	}
	list = s.Announced(ses, p)
	return slices.DeleteFunc(list, func(a Announcement) bool { return a.begins <= seen }), now
}

// Holds reports whether an announcement is still to be told.
func (s *Service) Holds(id string) bool {
	at := s.now()
	for _, a := range *s.announced.list.Load() {
		if a.ID == id {
			return a.State(at) == AnnouncementActive
		}
	}
	return false
}

// Unannounced is Announced without what the account was told there already, or has put away.
func (s *Service) Unannounced(ctx context.Context, ses *Session, p Place) ([]Announcement, error) {
	list := s.Announced(ses, p)
	if len(list) == 0 {
		return nil, nil
	}
	c, _ := ses.Credentials()
	told, err := s.store.Announced(ctx, c.UserID, p)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	return slices.DeleteFunc(list, func(a Announcement) bool { return slices.Contains(told, a.ID) }), nil
}

// NoteAnnounced notes that accounts were told an announcement at a place, or have put it away, and returns
// those of whom that was not noted before: no two callers get the same one.
func (s *Service) NoteAnnounced(ctx context.Context, a Announcement, p Place, owners ...UserID) (fresh []UserID, err error) {
	if len(owners) == 0 {
		return nil, nil
	}
	err = s.store.Write(ctx, func(w StoreWriter) error {
		fresh, err = w.NoteAnnounced(ctx, a.ID, p, owners...)
		return err
	})
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	return fresh, nil
}

// PutAway lets an account see an announcement on the web pages no more; one that it is not told is
// ErrNotFound.
func (s *Service) PutAway(ctx context.Context, ses *Session, id string) error {
	for _, a := range s.Announced(ses, PlaceWeb) {
		if a.ID == id {
			c, _ := ses.Credentials()
			_, err := s.NoteAnnounced(ctx, a, PlaceWeb, c.UserID)
			return err
		}
	}
	return ErrNotFound
}

// sweepAnnouncements is for each tick of Run.
func (s *Service) sweepAnnouncements(ctx context.Context) {
	s.beginAnnouncements()
	if at := s.now(); at.Sub(s.announceSwept) > time.Hour {
		s.announceSwept = at
		if err := s.forgetAnnouncements(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("forgetting old announcements", "err", err)
		}
	}
}
