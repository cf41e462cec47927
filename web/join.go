package web

import (
	"errors"
	"html/template"
	"net/http"

	"trivium/identity"
)

// joinView is the page of a link that makes an account or sets a password.
type joinView struct {
	page
	Code, Action    string
	Gone            string // why the link is of no use; "" it is
	Account         string // whose password it sets; "" a new account's
	First, Contact  bool   // the first password of an account; no account here at all
	Accept          bool   // the visitor is logged in, and can become a contact of who invites
	Inviter         string
	Domain          string
	Login, Password field
	Display         field
	ChatLink        template.URL // xmpp:…, opens a chat app; "" none
}

func newJoinView() *joinView {
	return &joinView{
		Login: field{ID: "login", Name: "login", Label: "join.user_name", Type: "text", Autocomplete: "username", Required: true, Focus: true,
			Help: "join.letters_digits_and_are_allowed_it"},
		Display:  field{ID: "display", Name: "display", Label: "join.your_name", Type: "text", Autocomplete: "name", Help: "join.as_others_see_it_may_stay"},
		Password: newPasswordField("password", "common.password"),
	}
}

// open shows what a code is good for; done is true where the answer has been given.
func (s *Server) openLink(v *visit, view *joinView) (o *identity.OpenInvitation, done bool, err error) {
	if v.browser == nil {
		if err := s.begin(v); err != nil {
			return nil, false, err
		}
	}
	view.Code = v.param("code")
	o, err = s.opt.Identity.OpenInvitation(v.ctx(), v.browser.Session, view.Code)
	switch {
	case errors.Is(err, identity.ErrExpired):
		view.Gone = v.spoken(err)
		return nil, true, s.showJoin(v, http.StatusGone, view)
	case errors.Is(err, identity.ErrNotFound):
		view.Gone = v.spoken(err)
		return nil, true, s.showJoin(v, http.StatusNotFound, view)
	case err != nil:
		return nil, false, err
	}
	view.Inviter, view.Domain, view.Contact = o.Inviter, o.Domain, o.Kind == identity.InviteContact
	view.Accept = v.known && o.Contact && o.Creator != v.creds.UserID
	if o.Account != nil {
		view.Account, view.First = s.display(o.Account.Login, o.Account.Domain), o.Kind == identity.InviteFirst
		view.Password.Label, view.Password.Focus = "join.new_password", true
	}
	view.ChatLink = template.URL(chatLink(o)) //nolint:gosec // a scheme of ours, and names in their normal form
	return o, false, nil
}

// chatLink is the invitation as a chat app takes it (XEP-0445 section 2); "" where it is none.
func chatLink(o *identity.OpenInvitation) string {
	code := o.Code()
	switch o.Kind {
	case identity.InviteAccount:
		return "xmpp:" + o.Domain + "?register;preauth=" + code
	case identity.InviteFirst:
		return "xmpp:" + string(o.Account.Login) + "@" + o.Domain + "?register;preauth=" + code
	case identity.InviteContact:
		return "xmpp:" + o.InviterJID + "?roster;preauth=" + code
	}
	return ""
}

func (s *Server) getJoin(v *visit) error {
	view := newJoinView()
	if _, done, err := s.openLink(v, view); done || err != nil {
		return err
	}
	return s.showJoin(v, http.StatusOK, view)
}

func (s *Server) showJoin(v *visit, status int, view *joinView) error {
	// Neither a search engine nor a page that is linked from here is to know the code.
	v.Response().Header().Set("X-Robots-Tag", "noindex")
	v.Response().Header().Set("Referrer-Policy", "no-referrer")
	title := v.T("join.join", s.opt.SiteName)
	switch {
	case view.Gone != "":
		title = "join.link_not_valid"
	case view.Account != "":
		title = "join.choose_a_password"
	case view.Contact:
		title = "join.add_a_contact"
	}
	view.Action = pathOf("join", view.Code)
	v.fill(&view.page, "join", title)
	return s.write(v, status, "join", view)
}

// postJoin makes the account or sets the password. Who has made an account is logged in; after
// another password the log-in asks for it, and for a second factor.
func (s *Server) postJoin(v *visit) error {
	view := newJoinView()
	view.Login.Value, view.Display.Value = v.text("login"), v.text("display")
	o, done, err := s.openLink(v, view)
	if done || err != nil {
		return err
	}
	if view.Accept && v.form("accept") == "1" {
		return s.acceptContact(v, view, o)
	}
	password := identity.NewSecret(v.form("password"))
	login := view.Login.Value
	if !o.Creates() {
		login = ""
	} else if login == "" {
		view.trouble(&view.Login, "join.choose_a_user_name")
	}
	checked := view.Account
	if checked == "" {
		checked = login
	}
	if err := s.opt.Identity.CheckNewPassword(checked, identity.Profile{Name: view.Display.Value}, password); err != nil {
		view.trouble(&view.Password, v.spoken(err))
	}
	if len(view.Problems) > 0 {
		return s.showJoin(v, http.StatusUnprocessableEntity, view)
	}
	a, err := o.Redeem(v.ctx(), v.browser.Session, login, password, identity.Profile{Name: view.Display.Value})
	switch {
	case errors.Is(err, identity.ErrExpired):
		view.Gone = v.spoken(err)
		return s.showJoin(v, http.StatusGone, view)
	case errors.Is(err, identity.ErrExists), errors.Is(err, identity.ErrInvalid):
		f := &view.Login
		if o.Account != nil {
			f = &view.Password
		}
		view.trouble(f, v.spoken(err))
		return s.showJoin(v, answerTo(err).status, view)
	case err != nil:
		return err
	}
	name := s.display(a.Login, a.Domain)
	if o.Kind == identity.InviteReset {
		return v.done("/login", "join.the_password_of_was_set_and", name)
	}
	if v.known { // somebody else's session: it ends first
		if err := s.downgrade(v); err != nil {
			return err
		}
	}
	c, err := s.opt.Identity.Upgrade(v.ctx(), v.browser, identity.Login{Method: identity.MethodForm, Name: string(a.Login) + "@" + a.Domain, Secret: password}, false)
	if err != nil {
		return v.done("/login", "join.welcome_log_in_with_the_password", name)
	}
	s.keep(v, c)
	v.attach(v.browser)
	return v.done("/", "join.welcome_this_is_how_you_connect", name)
}
