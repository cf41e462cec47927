package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
)

// announcementsView is what people are told, and the form for more.
type announcementsView struct {
	page
	Rows                                []announcementRow
	Text, To, Level, Group, From, Until field
	Places                              []option // checkboxes
	Tag, Other                          field    // the text in another language
}

// announcementRow is one in the table.
type announcementRow struct {
	identity.Announcement
	Word, Tone, Whom, Where string
	Begins, Ends            stamp
	EndPath                 string // "" where there is nothing to end
}

var announcementWords = map[identity.AnnouncementState][2]string{
	identity.AnnouncementScheduled: {"admin_announcements.scheduled", ""}, identity.AnnouncementActive: {"admin_announcements.active", "ok"},
	identity.AnnouncementOver: {"admin_announcements.over", ""}, identity.AnnouncementEnded: {"admin_announcements.ended", ""},
}

// announceTimes are the lengths of time that the form offers, in seconds.
var announceTimes = []struct {
	seconds int
	label   string
}{{3600, "admin_bans.1_hour"}, {6 * 3600, "admin_bans.6_hours"}, {24 * 3600, "admin_bans.1_day"}, {7 * 24 * 3600, "admin_announcements.1_week"}}

func newAnnouncementsView(v *visit) *announcementsView {
	view := &announcementsView{
		Text:  field{ID: "text", Name: "text", Label: "admin_announcements.text", Rows: 3, Help: "admin_announcements.people_see_the_lines_as_they"},
		To:    field{ID: "to", Name: "to", Label: "admin_announcements.who_is_told"},
		Level: field{ID: "level", Name: "level", Label: "admin_announcements.least_level", Help: "admin_announcements.counts_with_level_alone"},
		Group: field{ID: "group", Name: "group", Label: "admin_announcements.group", Type: "text", Autocomplete: "off", Help: "admin_announcements.counts_with_group_alone"},
		From:  field{ID: "from", Name: "from", Label: "admin_announcements.begins"},
		Until: field{ID: "until", Name: "until", Label: "admin_announcements.over_in"},
		Tag:   field{ID: "tag", Name: "tag", Label: "admin_announcements.another_language", Type: "text", Autocomplete: "off", Help: "admin_announcements.its_tag_such_as_de"},
		Other: field{ID: "other", Name: "other", Label: "admin_announcements.text_in_that_language", Rows: 3},
	}
	view.To.Options = options("all", "all", "admin_announcements.all", "online", "admin_announcements.who_is_logged_in_now", "level", "admin_announcements.from_a_level_on", "group", "admin_announcements.a_group")
	for _, l := range identity.Levels() {
		if l.Holdable() && l > identity.LevelLoggedIn {
			view.Level.Options = append(view.Level.Options, option{Value: strconv.Itoa(int(l)), Label: levelLabel(v.words, l)})
		}
	}
	view.From.Options, view.Until.Options = []option{{Value: "0", Label: "admin_announcements.now"}}, []option{{Value: "0", Label: "admin_announcements.when_somebody_ends_it"}}
	for _, t := range announceTimes {
		o := option{Value: strconv.Itoa(t.seconds), Label: t.label}
		view.From.Options, view.Until.Options = append(view.From.Options, o), append(view.Until.Options, o)
	}
	view.Until = view.Until.choose(strconv.Itoa(24 * 3600))
	for _, p := range identity.Places() {
		view.Places = append(view.Places, option{Value: string(p), Label: "admin_announcements.place_" + string(p), Selected: true})
	}
	return view
}

func (s *Server) getAnnouncements(v *visit) error {
	return s.showAnnouncements(v, http.StatusOK, newAnnouncementsView(v))
}

func (s *Server) showAnnouncements(v *visit, status int, view *announcementsView) error {
	list, err := s.opt.Identity.Announcements(v.ctx())
	if err != nil {
		return err
	}
	v.fill(&view.page, "admin.announcements", "admin_announcements.announcements")
	at := s.now()
	for _, a := range list {
		state := a.State(at)
		r := announcementRow{Announcement: a, Word: announcementWords[state][0], Tone: announcementWords[state][1], Begins: view.Stamp(a.From), Whom: v.audience(a.Audience)}
		if !a.Until.IsZero() {
			r.Ends = view.Stamp(a.Until)
		}
		if state == identity.AnnouncementActive || state == identity.AnnouncementScheduled {
			r.EndPath = pathOf("admin", "announcements", a.ID, "end")
		}
		var places []string
		for _, p := range a.Places {
			places = append(places, v.T("admin_announcements.place_"+string(p)))
		}
		r.Where = strings.Join(places, ", ")
		view.Rows = append(view.Rows, r)
	}
	return s.write(v, status, "admin_announcements", view)
}

// audience says in words who is told.
func (v *visit) audience(a identity.Audience) string {
	switch a.Kind {
	case identity.AudienceOnline:
		return v.T("admin_announcements.who_was_logged_in")
	case identity.AudienceLevel:
		return v.T("admin_announcements.from_on", levelLabel(v.words, a.Level))
	case identity.AudienceGroup:
		return v.T("admin_announcements.the_group", a.Group)
	}
	return v.T("admin_announcements.all")
}

// announcement reads the form.
func (view *announcementsView) announcement(v *visit, at time.Time) identity.NewAnnouncement {
	for _, f := range []*field{&view.Text, &view.Other, &view.Group, &view.Tag} {
		f.Value = v.text(f.Name)
	}
	for _, f := range []*field{&view.To, &view.Level, &view.From, &view.Until} {
		*f = f.choose(v.form(f.Name))
	}
	n := identity.NewAnnouncement{Text: view.Text.Value, Audience: identity.Audience{Kind: identity.AudienceKind(v.form("to"))}}
	switch n.Audience.Kind {
	case identity.AudienceLevel:
		if l, err := strconv.Atoi(v.form("level")); err == nil && l > 0 && l <= int(identity.LevelRoot) {
			n.Audience.Level = identity.Level(l)
		}
	case identity.AudienceGroup:
		n.Audience.Group = view.Group.Value
	}
	if view.Other.Value != "" || view.Tag.Value != "" {
		n.Texts = map[string]string{view.Tag.Value: view.Other.Value}
	}
	chosen := v.Request().PostForm["where"]
	for i := range view.Places {
		p := &view.Places[i]
		if p.Selected = slices.Contains(chosen, p.Value); p.Selected {
			n.Places = append(n.Places, identity.Place(p.Value))
		}
	}
	if seconds, err := strconv.Atoi(v.form("from")); err == nil && seconds > 0 && seconds < 1<<25 {
		n.From = at.Add(time.Duration(seconds) * time.Second)
		at = n.From
	}
	if seconds, err := strconv.Atoi(v.form("until")); err == nil && seconds > 0 && seconds < 1<<25 {
		n.Until = at.Add(time.Duration(seconds) * time.Second)
	}
	return n
}

// postAnnouncement publishes, or shows it to the person alone.
func (s *Server) postAnnouncement(v *visit) error {
	view := newAnnouncementsView(v)
	n := view.announcement(v, s.now())
	if len(n.Places) == 0 {
		view.trouble(&view.Text, "admin_announcements.choose_where")
		return s.showAnnouncements(v, http.StatusUnprocessableEntity, view)
	}
	do, preview := s.opt.Identity.Announce, v.form("verb") == "preview"
	if preview {
		do = s.opt.Identity.PreviewAnnouncement
	}
	_, err := do(v.ctx(), v.actor(), n)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		view.trouble(&view.Group, answerTo(errNoGroup).words(v.words, errNoGroup))
		return s.showAnnouncements(v, http.StatusUnprocessableEntity, view)
	case errors.Is(err, identity.ErrInvalid):
		view.trouble(&view.Text, answerTo(err).words(v.words, err))
		return s.showAnnouncements(v, http.StatusUnprocessableEntity, view)
	case err != nil:
		return err
	case preview: // the form stays, to be published
		return s.showAnnouncements(v, http.StatusOK, view)
	}
	return v.done("/admin/announcements", "admin_announcements.published")
}

func (s *Server) postAnnouncementEnd(v *visit) error {
	if err := s.opt.Identity.EndAnnouncement(v.ctx(), v.actor(), v.param("id")); err != nil {
		return v.refused("/admin/announcements", "admin_announcements.not_ended", absentAs(err, errGone))
	}
	return v.done("/admin/announcements", "admin_announcements.nobody_is_told_any_more")
}

// banner is an announcement at the top of a page.
type banner struct {
	Lines   []string
	Path    string // where it is put away
	Preview bool
}

// banners are what the person is told on this page. Where the store cannot say what was put away, the page
// goes without them.
func (v *visit) banners() (list []banner) {
	told, err := v.server.opt.Identity.Unannounced(v.ctx(), v.browser.Session, identity.PlaceWeb)
	if err != nil {
		v.server.log.Warn("announcements", "err", err)
	}
	for _, a := range told {
		list = append(list, banner{strings.Split(a.In(v.words.Tag), "\n"), pathOf("announcements", a.ID, "put-away"), a.Preview()})
	}
	return list
}

func (s *Server) postPutAway(v *visit) error {
	if err := s.opt.Identity.PutAway(v.ctx(), v.browser.Session, v.param("id")); err != nil && !errors.Is(err, identity.ErrNotFound) {
		return err // one that has ended meanwhile is away, too
	}
	return v.see(v.back())
}
