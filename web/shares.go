package web

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"time"

	"trivium/files"
	"trivium/identity"
)

type sharesView struct {
	page
	Rows []shareRow
	Dead int // of them, what opens nothing any more
}

type shareRow struct {
	files.Share
	Link    string // the address that is given out
	Folder  string // of the folder that it lies in
	End     string // address of the form that takes it back
	State   shareState
	Created stamp
	Expires stamp
	Whose   string // not the visitor's: whose it is
}

// shareState is what a share opens now.
type shareState string

// The states.
const (
	shareActive  shareState = "active"
	shareOver    shareState = "expired"
	shareUsed    shareState = "used up"
	shareMissing shareState = "missing"
)

// Kind says what the link is for.
func (r shareRow) Kind() string {
	switch {
	case r.Drop:
		return "drop box"
	case r.Dir:
		return "folder"
	}
	return "file"
}

// Uses is how often it was used, of how often it may be.
func (r shareRow) Uses() string {
	if r.Limit > 0 {
		return strconv.Itoa(r.Count) + " of " + strconv.Itoa(r.Limit)
	}
	return strconv.Itoa(r.Count)
}

func (s *Server) shareLink(v *visit, code string) string {
	return s.base(v.Request()) + pathOf("s", code)
}

// stateOf looks whether what was shared is still there.
func (s *Server) stateOf(v *visit, tree *files.Tree, x files.Share) shareState {
	switch {
	case x.Limit > 0 && x.Count >= x.Limit:
		return shareUsed
	case x.Over(s.now()):
		return shareOver
	}
	info, err := tree.Stat(v.ctx(), x.Path)
	if err != nil || info.Dir != x.Dir {
		return shareMissing
	}
	return shareActive
}

func (s *Server) getShares(v *visit) error {
	list, err := s.opt.Files.Shares(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	view := &sharesView{}
	v.fill(&view.page, "shares", "shares.shares")
	tree := s.opt.Files.View(v.browser.Session)
	for _, x := range list {
		r := shareRow{Share: x, Link: s.shareLink(v, x.Code), Folder: filesHref(path.Dir(x.Path)), End: pathOf("shares", x.ID, "end"),
			State: s.stateOf(v, tree, x), Created: view.Stamp(x.CreatedAt), Expires: view.Stamp(x.ExpiresAt)}
		if r.State != shareActive {
			view.Dead++
		}
		view.Rows = append(view.Rows, r)
	}
	return s.write(v, http.StatusOK, "shares", view)
}

type shareFormView struct {
	page
	Path, Here string
	Dir        bool
	Drop       bool // may be a drop box
	Password   field
	Expires    field
	Limit      field
	Note       field
}

func newShareForm(p string, dir bool) *shareFormView {
	return &shareFormView{Path: p, Here: filesHref(path.Dir(p)), Dir: dir,
		Password: field{ID: "password", Name: "password", Label: "common.password", Type: "text", Autocomplete: "off", Help: "shares.optional_tell_it_by_another_way"},
		Expires: field{ID: "expires", Name: "expires", Label: "shares.expires", Options: []option{{Value: "1", Label: "shares.in_1_day"}, {Value: "7", Label: "shares.in_7_days"},
			{Value: "30", Label: "shares.in_30_days"}, {Value: "365", Label: "shares.in_1_year"}, {Value: "0", Label: "common.never"}}}.choose("30"),
		Limit: field{ID: "limit", Name: "limit", Label: "shares.at_most_how_many_downloads", Type: "number", Autocomplete: "off", Help: "shares.empty_no_limit_of_a_drop"},
		Note:  field{ID: "note", Name: "note", Label: "shares.note", Type: "text", Autocomplete: "off", Help: "shares.for_yourself_who_gets_the_link"}}
}

// showShareForm asks how an entry of a folder shall be shared.
func (s *Server) showShareForm(v *visit, tree *files.Tree, dir, name string) error {
	p, err := member(dir, name)
	if err != nil {
		return errAbsent
	}
	info, err := tree.Stat(v.ctx(), p)
	if err != nil {
		return err
	}
	view := newShareForm(p, info.Dir)
	view.Drop = info.Dir && tree.Access(info).Create
	return s.writeShareForm(v, http.StatusOK, view)
}

func (s *Server) writeShareForm(v *visit, status int, view *shareFormView) error {
	v.fill(&view.page, "files", v.T("share_form.share_name", path.Base(view.Path)))
	return s.write(v, status, "share_form", view)
}

func (s *Server) postNewShare(v *visit) error {
	p, err := files.Clean("/", v.form("path"))
	if err != nil {
		return errAbsent
	}
	tree := s.opt.Files.View(v.browser.Session)
	info, err := tree.Stat(v.ctx(), p)
	if err != nil {
		return err
	}
	view := newShareForm(p, info.Dir)
	view.Drop = info.Dir && tree.Access(info).Create
	view.Note.Value, view.Limit.Value, view.Expires = v.text("note"), v.text("limit"), view.Expires.choose(v.form("expires"))
	o := files.ShareOptions{Drop: v.form("kind") == "drop", Note: view.Note.Value, Password: identity.NewSecret(v.form("password"))}
	if view.Limit.Value != "" {
		if o.Limit, err = strconv.Atoi(view.Limit.Value); err != nil || o.Limit < 1 {
			view.trouble(&view.Limit, "shares.the_number_is_not_valid_write")
		}
	}
	if days, err := strconv.Atoi(v.form("expires")); err != nil || !slices.Contains([]int{0, 1, 7, 30, 365}, days) {
		view.trouble(&view.Expires, "shares.choose_one_of_the_times")
	} else if days > 0 {
		o.ExpiresAt = s.now().Add(time.Duration(days) * 24 * time.Hour)
	}
	if len(view.Problems) > 0 {
		return s.writeShareForm(v, http.StatusUnprocessableEntity, view)
	}
	x, err := tree.Share(v.ctx(), p, o)
	if err != nil {
		return v.refused(view.Here, v.T("shares.was_not_shared", quoted(path.Base(p))), err)
	}
	if err := s.recordShare(v, "share.add", x); err != nil {
		return err
	}
	v.flash(flash{Kind: flashSuccess, Text: v.T("shares.is_shared", path.Base(p))})
	return v.see("/shares#" + url.QueryEscape(x.ID))
}

func (s *Server) recordShare(v *visit, event string, x files.Share) error {
	return s.opt.Identity.Record(v.ctx(), identity.AuditEvent{Event: event, Actor: v.creds.User, Via: "web", Subject: v.creds.User, Remote: s.remote(v.Request()).String(),
		Session: v.browser.ID(), Protocol: identity.ProtocolWeb, Result: "ok", Detail: "share " + x.ID + " of " + x.Canonical})
}

func (s *Server) postEndShare(v *visit) error {
	x, err := s.opt.Files.EndShare(v.ctx(), v.creds.UserID, v.param("id"))
	if err != nil {
		return err
	}
	if err := s.recordShare(v, "share.end", x); err != nil {
		return err
	}
	return v.done("/shares", "shares.the_link_to_opens_nothing_any", quoted(path.Base(x.Path)))
}

func (s *Server) postEndDeadShares(v *visit) error {
	list, err := s.opt.Files.Shares(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	tree, n := s.opt.Files.View(v.browser.Session), 0
	for _, x := range list {
		if s.stateOf(v, tree, x) == shareActive {
			continue
		}
		if _, err := s.opt.Files.EndShare(v.ctx(), v.creds.UserID, x.ID); err != nil {
			return err
		}
		n++
	}
	return v.done("/shares", "shares.dead_links_were_removed", n)
}
