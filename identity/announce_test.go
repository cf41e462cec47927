package identity_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

func everybody(text string) identity.NewAnnouncement {
	return identity.NewAnnouncement{Text: text, Audience: identity.Audience{Kind: identity.AudienceAll}}
}

func TestAnnouncementIsChecked(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	long := everybody(strings.Repeat("x", identity.MaxAnnouncement+1))
	late, back, far := everybody("x"), everybody("x"), everybody("x")
	late.Until = h.clock.now().Add(-time.Second)
	back.From, back.Until = h.clock.now().Add(time.Hour), h.clock.now().Add(time.Minute)
	far.From = h.clock.now().Add(400 * 24 * time.Hour)
	tag, place, group := everybody("x"), everybody("x"), everybody("x")
	tag.Texts = map[string]string{"d'><x": "y"}
	place.Places = []identity.Place{"fax"}
	group.Audience = identity.Audience{Kind: identity.AudienceGroup, Group: "nosuch"}
	for name, x := range map[string]struct {
		by   identity.Actor
		n    identity.NewAnnouncement
		want error
	}{
		"a moderator":    {identity.Actor{User: "mod", Level: identity.LevelModerator}, everybody("x"), identity.ErrRefused},
		"nobody":         {identity.Actor{Level: identity.LevelNobody}, everybody("x"), identity.ErrRefused},
		"no text":        {boss, everybody(" \n "), identity.ErrInvalid},
		"an FTP reply":   {boss, everybody("a\r530 no"), identity.ErrInvalid},
		"an escape":      {boss, everybody("a\x1b[2J"), identity.ErrInvalid},
		"a NUL":          {boss, everybody("a\x00b"), identity.ErrInvalid},
		"no XML":         {boss, everybody("a\uffffb"), identity.ErrInvalid},
		"not UTF-8":      {boss, everybody("a\xffb"), identity.ErrInvalid},
		"too long":       {boss, long, identity.ErrInvalid},
		"too many lines": {boss, everybody(strings.Repeat("x\n", 40)), identity.ErrInvalid},
		"over already":   {boss, late, identity.ErrInvalid},
		"backwards":      {boss, back, identity.ErrInvalid},
		"far away":       {boss, far, identity.ErrInvalid},
		"no language":    {boss, tag, identity.ErrInvalid},
		"no place":       {boss, place, identity.ErrInvalid},
		"no group":       {boss, group, identity.ErrNotFound},
		"no audience":    {boss, identity.NewAnnouncement{Text: "x"}, identity.ErrInvalid},
	} {
		_, err := h.Announce(t.Context(), x.by, x.n)
		wantErr(t, name, err, x.want)
	}
	if list, err := h.Announcements(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("kept %v, %v", list, err)
	}
}

func TestAnnouncementConcerns(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	ctx := t.Context()
	h.person("user", nil)
	h.person("staff", func(u *identity.User) { u.Level = identity.LevelStaff })
	user, _ := h.in(identity.ProtocolFTP, "user", testPassword)
	staff, _ := h.in(identity.ProtocolFTP, "staff", testPassword)
	h.clock.pass(time.Second)
	var begun []string
	h.OnAnnounce(func(a identity.Announcement) { begun = append(begun, a.Text) })
	add := func(text string, change func(*identity.NewAnnouncement)) identity.Announcement {
		t.Helper()
		n := everybody(text)
		if change != nil {
			change(&n)
		}
		a, err := h.Announce(ctx, boss, n)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	all := add("all", func(n *identity.NewAnnouncement) { n.Texts = map[string]string{"de": "alle"} })
	add("staff", func(n *identity.NewAnnouncement) {
		n.Audience = identity.Audience{Kind: identity.AudienceLevel, Level: identity.LevelStaff}
	})
	add("group", func(n *identity.NewAnnouncement) {
		n.Audience = identity.Audience{Kind: identity.AudienceGroup, Group: "user"}
	})
	add("online", func(n *identity.NewAnnouncement) {
		n.Audience, n.Until = identity.Audience{Kind: identity.AudienceOnline}, h.clock.now().Add(time.Hour)
	})
	add("pages", func(n *identity.NewAnnouncement) { n.Places = []identity.Place{identity.PlaceWeb} })
	add("later", func(n *identity.NewAnnouncement) { n.From = h.clock.now().Add(time.Minute) })
	if _, err := h.PreviewAnnouncement(ctx, identity.Actor{User: "staff", Level: identity.LevelAdmin}, everybody("a look")); err != nil {
		t.Fatal(err)
	}
	_, err := h.PreviewAnnouncement(ctx, identity.Actor{Level: identity.LevelRoot}, everybody("x"))
	wantErr(t, "a preview for nobody", err, identity.ErrInvalid)
	h.clock.pass(time.Second)
	newcomer, _ := h.in(identity.ProtocolFTP, "user", testPassword)
	early, _ := h.open(identity.ProtocolFTP, "192.0.2.3:4000")
	see := func(who string, ses *identity.Session, want string) {
		t.Helper()
		var got []string
		for _, a := range h.Announced(ses, identity.PlaceFTP) {
			got = append(got, a.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is told %v, want %s", who, got, want)
		}
	}
	see("the user", user, "all group online")
	see("staff", staff, "all staff online a look")
	see("who came later", newcomer, "all group")
	see("who has not logged in", early, "")
	if got := all.In("de-AT"); got != "alle" {
		t.Errorf("in German %q", got)
	}
	if got := all.In("fr"); got != "all" {
		t.Errorf("in French %q", got)
	}
	wantErr(t, "ending by a user", h.EndAnnouncement(ctx, identity.Actor{User: "user", Level: identity.LevelUser}, all.ID), identity.ErrRefused)
	if err := h.EndAnnouncement(ctx, boss, all.ID); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "ending it again", h.EndAnnouncement(ctx, boss, all.ID), identity.ErrNotFound)
	h.clock.pass(2 * time.Hour)
	see("the user in two hours", user, "group later")
	if got := strings.Join(begun, " "); got != "all staff group online pages a look" {
		t.Errorf("begun: %s", got)
	}
	h.start() // as after a restart
	again, _ := h.in(identity.ProtocolFTP, "user", testPassword)
	see("the user after a restart", again, "group later")
	rows, err := h.Audit(ctx, identity.AuditFilter{Event: "announcement.*", Limit: 20})
	if err != nil || len(rows) != 7 || rows[0].Event != identity.EventAnnounceEnd || rows[0].Actor != "boss" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestAnnouncementIsPutAwayByTheAccount(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	ctx := t.Context()
	h.person("user", nil)
	h.person("other", nil)
	a, err := h.Announce(ctx, boss, everybody("x"))
	if err != nil {
		t.Fatal(err)
	}
	one, _ := h.browse("user")
	two, _ := h.browse("user")
	other, _ := h.browse("other")
	if err := h.PutAway(ctx, one.Session, a.ID); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "one that there is not", h.PutAway(ctx, one.Session, "nosuch"), identity.ErrNotFound)
	for name, x := range map[string]struct {
		ses  *identity.Session
		left int
	}{"the same browser": {one.Session, 0}, "another browser": {two.Session, 0}, "another account": {other.Session, 1}} {
		if list, err := h.Unannounced(ctx, x.ses, identity.PlaceWeb); err != nil || len(list) != x.left {
			t.Errorf("%s sees %d, %v", name, len(list), err)
		}
	}
	if list, err := h.Unannounced(ctx, one.Session, identity.PlaceChat); err != nil || len(list) != 1 {
		t.Errorf("in chat %d, %v", len(list), err)
	}
}

func TestAnnouncementsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = h.Announce(t.Context(), boss, everybody("x"))
	}
	if !errors.Is(err, identity.ErrInvalid) || n != 51 {
		t.Errorf("the %dth: %v", n, err)
	}
}
