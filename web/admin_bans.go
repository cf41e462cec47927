package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"trivium/identity"
)

// bansView is the list of bans, what is never banned, and what holds for one address.
type bansView struct {
	page
	Rows                []banRow
	Total               int
	Query               string
	Kinds, Orders       []option
	Columns             []sortHead
	Filtered            bool
	Page, Pages         int
	Prev, Next          string
	Check               *banCheck
	Asked               string // address that was asked about
	Prefix, For, Reason field
	Again               field // the prefix once more; shown where it is to be said twice
	Twice, MayBan       bool
	MayLift             bool
	Allows              []allowRow
	Allow, Why          field
}

// banRow is a ban in the table.
type banRow struct {
	identity.Ban
	Word         string // of the kind
	By           string
	Began, Ends  stamp
	LiftPath     string
	Failures     string // address of the failures in the audit log
	Tone, Number string
}

type allowRow struct {
	identity.BanAllow
	Added stamp
	Path  string
}

// banCheck is what holds for an address.
type banCheck struct {
	identity.BanCheck
	Until    stamp
	Failures string
}

var banWords = map[identity.BanKind][2]string{
	identity.BanGuessing: {"admin_bans.wrong_log_ins", "warn"}, identity.BanWidened: {"admin_bans.widened", "warn"}, identity.BanManual: {"admin_bans.by_hand", "bad"},
}

// banTimes are how long a ban by hand may be; moderators have the short ones.
var banTimes = []struct {
	d     time.Duration
	label string
}{{15 * time.Minute, "admin_bans.15_minutes"}, {time.Hour, "admin_bans.1_hour"}, {6 * time.Hour, "admin_bans.6_hours"}, {24 * time.Hour, "admin_bans.1_day"},
	{7 * 24 * time.Hour, "admin_bans.7_days"}, {30 * 24 * time.Hour, "admin_bans.30_days"}, {365 * 24 * time.Hour, "admin_bans.1_year"}}

func (s *Server) newBansView(v *visit) *bansView {
	view := &bansView{MayBan: v.level.Allows(identity.LevelModerator), MayLift: v.level.Allows(identity.LevelAdmin),
		Prefix: field{ID: "prefix", Name: "prefix", Label: "admin_bans.address_or_prefix", Type: "text", Autocomplete: "off", Required: true,
			Help: "admin_bans.such_as_192_0_2_7"},
		For:    field{ID: "for", Name: "for", Label: "admin_bans.for_how_long"},
		Reason: field{ID: "reason", Name: "reason", Label: "admin_bans.reason", Type: "text", Autocomplete: "off", Help: "admin_bans.for_the_list_and_the_audit"},
		Again:  field{ID: "again", Name: "again", Label: "admin_bans.type_the_prefix_again", Type: "text", Autocomplete: "off", Help: "admin_bans.to_show_that_you_mean_it"},
		Allow:  field{ID: "allow", Name: "allow", Label: "admin_bans.address_or_prefix", Type: "text", Autocomplete: "off", Required: true},
		Why:    field{ID: "why", Name: "why", Label: "admin_bans.reason", Type: "text", Autocomplete: "off", Help: "admin_bans.such_as_the_office"}}
	for _, t := range banTimes {
		if t.d <= 24*time.Hour || view.MayLift {
			view.For.Options = append(view.For.Options, option{Value: strconv.Itoa(int(t.d / time.Second)), Label: t.label})
		}
	}
	view.For = view.For.choose(strconv.Itoa(int(24 * time.Hour / time.Second)))
	return view
}

func (s *Server) getBans(v *visit) error {
	view := s.newBansView(v)
	view.Prefix.Value = clip(v.QueryParam("prefix"), 64) // of a link on another page
	return s.showBans(v, http.StatusOK, view)
}

func (s *Server) showBans(v *visit, status int, view *bansView) error {
	f := identity.BanFilter{Kind: identity.BanKind(v.QueryParam("kind")), Text: clip(v.QueryParam("q"), maxAuditText)}
	if _, ok := banWords[f.Kind]; !ok {
		f.Kind = ""
	}
	by := v.QueryParam("sort")
	key, down, err := identity.ParseBanSort(by)
	if err != nil { // somebody has changed the address: the newest first then
		by = ""
		key, down, _ = identity.ParseBanSort(by)
	}
	list, total, err := s.opt.Identity.BanPage(v.ctx(), f, key, down, 0, 0)
	if err != nil {
		return err
	}
	first, last, pages, at := pager(v.QueryParam("page"), total)
	view.Total, view.Query, view.Filtered = total, f.Text, f.Kind != "" || f.Text != ""
	view.Page, view.Pages = at, pages
	if v.Request().Method != http.MethodPost {
		view.Prev, view.Next = v.pageLink(at-1, pages), v.pageLink(at+1, pages)
	}
	view.Kinds = options(string(f.Kind), "", "admin_bans.all_kinds", "guessing", "admin_bans.wrong_log_ins_2", "widened", "admin_bans.widened_2", "manual", "admin_bans.by_hand_2")
	view.Orders = options(by, "", "admin_bans.newest_first", "since", "admin_bans.oldest_first", "until", "admin_bans.ends_soonest", "-until", "admin_bans.ends_last", "prefix", "common.address", "-count", "admin_bans.most_bans", "-hits", "admin_bans.most_turned_away", "reason", "admin_bans.reason", "by", "admin_bans.by_whom")
	view.Columns = v.columns("/admin/bans", cmp.Or(by, "-since"), column{key: "prefix", label: "common.address"}, column{key: "reason", label: "admin_bans.reason"}, column{key: "since", label: "common.since", down: true},
		column{key: "until", label: "common.until"}, column{key: "count", label: "admin_bans.bans", down: true, class: "num"}, column{key: "hits", label: "admin_bans.turned_away", down: true, class: "num"})
	v.fill(&view.page, "admin.bans", "admin_bans.bans")
	for _, b := range list[first:last] {
		r := banRow{Ban: b, Word: banWords[b.Kind][0], Tone: banWords[b.Kind][1], By: b.Actor, Began: view.Stamp(b.Since), Ends: view.Stamp(b.Until),
			Number: strconv.Itoa(b.Count), Failures: failuresHref(b.Prefix)}
		if view.MayLift {
			r.LiftPath = pathOf("admin", "bans", b.Prefix, "lift")
		}
		view.Rows = append(view.Rows, r)
	}
	allows, err := s.opt.Identity.BanAllows(v.ctx())
	if err != nil {
		return err
	}
	for _, a := range allows {
		view.Allows = append(view.Allows, allowRow{a, view.Stamp(a.Since), pathOf("admin", "bans", "allow", a.Prefix, "remove")})
	}
	if view.Asked = clip(v.QueryParam("check"), 64); view.Asked != "" {
		if status, err = s.checkBan(v, status, view); err != nil {
			return err
		}
	}
	return s.write(v, status, "admin_bans", view)
}

// checkBan says what holds for the address that was asked about.
func (s *Server) checkBan(v *visit, status int, view *bansView) (int, error) {
	c, err := s.opt.Identity.CheckBan(v.ctx(), view.Asked)
	if errors.Is(err, identity.ErrInvalid) {
		view.Problems = append(view.Problems, problem{Field: "check", Text: answerTo(err).words(v.words, err)})
		return http.StatusUnprocessableEntity, nil
	}
	if err != nil {
		return status, err
	}
	view.Check = &banCheck{BanCheck: c, Failures: failuresHref(c.Address)}
	if c.Ban != nil {
		view.Check.Until = view.Stamp(c.Ban.Until)
	}
	return status, nil
}

// failuresHref is where the audit log shows the failures from a prefix.
func failuresHref(prefix string) string {
	return "/admin/audit?event=login.*&result=failed&from=" + queryEscape(prefix)
}

func (s *Server) postNewBan(v *visit) error {
	view := s.newBansView(v)
	view.Prefix.Value, view.Reason.Value, view.Again.Value = v.text("prefix"), v.text("reason"), v.text("again")
	view.For = view.For.choose(v.form("for"))
	seconds, err := strconv.Atoi(v.form("for"))
	if err != nil || seconds <= 0 {
		view.trouble(&view.For, "admin_bans.choose_how_long")
		return s.showBans(v, http.StatusUnprocessableEntity, view)
	}
	b, err := s.opt.Identity.AddBan(v.ctx(), v.actor(), identity.NewBan{Prefix: view.Prefix.Value, For: time.Duration(seconds) * time.Second,
		Reason: view.Reason.Value, Confirm: view.Again.Value != "" && view.Again.Value == view.Prefix.Value})
	if err == nil {
		return v.done("/admin/bans", "admin_bans.is_banned_nobody_from_there_gets", b.Prefix, v.banLength(time.Duration(seconds)*time.Second))
	}
	a := answerTo(err)
	if a.fallback {
		return err
	}
	view.Twice = errors.Is(err, identity.ErrConfirm)
	f := &view.Prefix
	if view.Twice && view.Again.Value != "" {
		f = &view.Again
		view.trouble(f, "admin_bans.this_is_not_the_prefix_above")
	} else {
		view.trouble(f, a.words(v.words, err))
	}
	return s.showBans(v, a.status, view)
}

func (v *visit) banLength(d time.Duration) string {
	for _, t := range banTimes {
		if t.d == d {
			return v.T(t.label)
		}
	}
	return spell(v.words, d)
}

func (s *Server) postLiftBan(v *visit) error {
	prefix := v.param("prefix")
	if err := s.opt.Identity.LiftBan(v.ctx(), v.actor(), prefix); err != nil {
		return v.refused("/admin/bans", "admin_bans.the_ban_was_not_lifted", absentAs(err, errGone))
	}
	return v.done(v.backTo("/admin/bans"), "admin_bans.the_ban_of_is_lifted_and", prefix)
}

func (s *Server) postBanAllow(v *visit) error {
	view := s.newBansView(v)
	view.Allow.Value, view.Why.Value = v.text("allow"), v.text("why")
	a, err := s.opt.Identity.AddBanAllow(v.ctx(), v.actor(), view.Allow.Value, view.Why.Value)
	if err != nil {
		an := answerTo(err)
		if an.fallback {
			return err
		}
		view.trouble(&view.Allow, an.words(v.words, err))
		return s.showBans(v, an.status, view)
	}
	if p, err := netip.ParsePrefix(a.Prefix); err == nil && p.IsSingleIP() {
		return v.done("/admin/bans#allow-list", "admin_bans.is_never_banned_from_now_on", p.Addr())
	}
	return v.done("/admin/bans#allow-list", "admin_bans.nobody_from_is_banned_from_now", a.Prefix)
}

func (s *Server) postBanDisallow(v *visit) error {
	prefix := v.param("prefix")
	if err := s.opt.Identity.RemoveBanAllow(v.ctx(), v.actor(), prefix); err != nil {
		return v.refused("/admin/bans", "admin_bans.nothing_was_taken_off_the_list", absentAs(err, errGone))
	}
	return v.done("/admin/bans#allow-list", "admin_bans.may_be_banned_again", prefix)
}
