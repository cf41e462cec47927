package web

import (
	"net/http"
	"strconv"
	"strings"

	"trivium/identity"
)

// noticesPage is how many notifications a page has.
const noticesPage = 50

// noticesView is what a person was told.
type noticesView struct {
	page
	Rows   []noticeRow
	Unseen int
	Older  string
	Rules  []noticeRule
	Mail   bool // the server sends mail, and the account has an address
	Chat   bool
}

// noticeRow is one notification.
type noticeRow struct {
	identity.Notification
	Title string // a text of the catalogue
	When  stamp
	Icon  string
	Href  string // where something can be done about it
	Link  string // its name in the navigation
	Path  string
}

// noticeRule is a kind with what is ticked.
type noticeRule struct {
	Kind  identity.NoticeKind
	Label string
	Boxes []noticeBox
}

type noticeBox struct {
	Name, Label    string
	Checked, Fixed bool
}

// noticeLooks are the icon of each kind and the page that it leads to.
var noticeLooks = map[identity.NoticeKind][3]string{
	identity.NoticeDevice: {"warn", "/sessions", "nav.sessions"}, identity.NoticePassword: {"key", "/account", "nav.account"}, identity.NoticeFactor: {"shield", "/security", "nav.security"},
	identity.NoticeEmail: {"person", "/account", "nav.account"}, identity.NoticeClone: {"stop", "/security", "nav.security"}, identity.NoticeToken: {"key", "/tokens", "nav.tokens"},
	identity.NoticeTokenUse: {"key", "/tokens", "nav.tokens"}, identity.NoticeSession: {"stop", "/sessions", "nav.sessions"}, identity.NoticeExport: {"down", "/account", "nav.account"},
	identity.NoticeQuota: {"folder", "/files/", "nav.files"}, identity.NoticeContact: {"person", "/contacts", "nav.contacts"}, identity.NoticeShare: {"link", "/shares", "nav.shares"},
}

func (s *Server) getNotifications(v *visit) error {
	before, err := strconv.ParseInt("0"+v.QueryParam("before"), 10, 64)
	if err != nil {
		before = 0 // somebody has changed the address
	}
	list, err := s.opt.Identity.Notifications(v.ctx(), v.creds.UserID, before, noticesPage+1)
	if err != nil {
		return err
	}
	ways, err := s.opt.Identity.NoticeWaysOf(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	view := &noticesView{Mail: s.opt.Mail && v.creds.Profile.Email != "", Chat: s.opt.Tell != nil}
	v.fill(&view.page, "notifications", "notifications.title")
	view.Live, view.Unseen = "/notifications/events", view.Unread
	if len(list) > noticesPage {
		list = list[:noticesPage]
		view.Older = "/notifications?before=" + strconv.FormatInt(list[noticesPage-1].ID, 10)
	}
	for _, n := range list {
		look := noticeLooks[n.Kind]
		row := noticeRow{Notification: n, Title: noticeTitle(n), When: view.Stamp(n.At), Icon: look[0], Path: pathOf("notifications", strconv.FormatInt(n.ID, 10), "read")}
		if view.May(look[1]) {
			row.Href, row.Link = look[1], look[2]
		}
		view.Rows = append(view.Rows, row)
	}
	for _, r := range identity.NoticeRules() {
		rule := noticeRule{Kind: r.Kind, Label: "notifications.about_" + string(r.Kind)}
		for _, w := range noticeWays(view.Mail, view.Chat) {
			rule.Boxes = append(rule.Boxes, noticeBox{string(r.Kind) + "." + w.name, w.label, ways[r.Kind].Has(w.way), r.Fixed.Has(w.way)})
		}
		view.Rules = append(view.Rules, rule)
	}
	return s.write(v, http.StatusOK, "notifications", view)
}

// noticeWay is a column of the choices.
type noticeWay struct {
	way         identity.NoticeWays
	name, label string
}

// noticeWays are those that reach the visitor at all.
func noticeWays(mail, chat bool) []noticeWay {
	list := []noticeWay{{identity.NoticePage, "page", "notifications.by_page"}}
	if mail {
		list = append(list, noticeWay{identity.NoticeMail, "mail", "notifications.by_mail"})
	}
	if chat {
		list = append(list, noticeWay{identity.NoticeChat, "chat", "notifications.by_chat"})
	}
	return list
}

// noticeTitle is the key of what a notification says.
func noticeTitle(n identity.Notification) string {
	key := "notifications.is_" + string(n.Kind)
	if n.About.Removed {
		key += "_removed"
	}
	return key
}

// getNoticeEvents tells the open page that something came.
func (s *Server) getNoticeEvents(v *visit) error { return s.stream(v, nil) }

func (s *Server) postReadNotices(v *visit) error {
	if err := s.opt.Identity.See(v.ctx(), v.creds.UserID); err != nil {
		return err
	}
	return v.see("/notifications")
}

func (s *Server) postReadNotice(v *visit) error {
	id, err := strconv.ParseInt(v.param("id"), 10, 64)
	if err != nil || id <= 0 {
		return identity.ErrNotFound
	}
	if err := s.opt.Identity.See(v.ctx(), v.creds.UserID, id); err != nil {
		return err
	}
	return v.see("/notifications")
}

// postNoticeWays keeps what is ticked. A way that the page did not offer stays as it is.
func (s *Server) postNoticeWays(v *visit) error {
	ways, err := s.opt.Identity.NoticeWaysOf(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	for _, name := range v.Request().PostForm["offered"] {
		kind, way, _ := strings.Cut(name, ".")
		now, known := ways[identity.NoticeKind(kind)]
		if !known {
			continue
		}
		for _, w := range noticeWays(true, true) {
			if w.name != way {
				continue
			}
			if now &^= w.way; v.form(name) == "1" {
				now |= w.way
			}
		}
		ways[identity.NoticeKind(kind)] = now
	}
	if err := s.opt.Identity.SetNoticeWays(v.ctx(), v.actor(), v.creds.UserID, ways); err != nil {
		return v.refused("/notifications", "notifications.not_saved", err)
	}
	return v.done("/notifications", "notifications.saved")
}
