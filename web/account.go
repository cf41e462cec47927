package web

import (
	"errors"
	"net/http"
	"net/mail"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"trivium/identity"
)

const themeCookie = "theme"

type accountView struct {
	page
	Account                                   accountCard
	Name, Email, Phone, About, Lang, TimeZone field
	Formats, Keys                             field
	Old, New                                  field
	Others                                    int // sessions that a new password ends
	Providers                                 []providerButton
	Links                                     []linkRow
	Must                                      bool // another password has to be chosen before anything else
	Takeout                                   bool
	Pictures                                  bool // there can be one
}

// accountCard is what a person sees of an account.
type accountCard struct {
	User, Domain, Group string
	Level               identity.Level
	UID, GID            uint32
	Groups              []string
	State               identity.UserState
	Created, LastLogin  time.Time
}

func (s *Server) card(a identity.Account) accountCard {
	c := accountCard{User: s.display(a.Login, a.Domain), Domain: a.Domain, Group: string(a.Group.Name), Level: a.Level,
		UID: a.UID, GID: a.GID, State: a.State, Created: a.CreatedAt, LastLogin: a.LastLogin}
	for _, g := range a.Groups {
		c.Groups = append(c.Groups, string(g.Name))
	}
	return c
}

// display is the bare login for the default domain, and login@domain otherwise.
func (s *Server) display(login identity.UserName, domain string) string {
	if domain == s.opt.Domain || domain == "" {
		return string(login)
	}
	return string(login) + "@" + domain
}

func newAccountView(p identity.Profile) *accountView {
	return &accountView{
		Name:  field{ID: "name", Name: "name", Label: "account.display_name", Type: "text", Value: p.Name, Autocomplete: "name"},
		Email: field{ID: "email", Name: "email", Label: "account.e_mail", Type: "email", Value: p.Email, Autocomplete: "email"},
		Phone: field{ID: "phone", Name: "phone", Label: "account.phone", Type: "tel", Value: p.Phone, Autocomplete: "tel"},
		About: field{ID: "about", Name: "about", Label: "account.about", Value: p.About, Rows: 3},
		Lang:  field{ID: "lang", Name: "lang", Label: "account.language", Type: "text", Value: p.Lang, Help: "account.such_as_en_or_de_at"},
		TimeZone: field{ID: "time_zone", Name: "time_zone", Label: "account.time_zone", Type: "text", Value: p.TimeZone, List: "zones",
			Help: "account.such_as_europe_warsaw_empty_as"},
		Formats: field{ID: "formats", Name: "formats", Label: "account.dates_and_times", Type: "text", Value: p.Formats, Help: "account.as_they_are_written_in_a"},
		Keys:    field{ID: "keys", Name: "keys", Label: "layout.keys", Options: []option{{Value: "on", Label: "layout.keys_on"}, {Value: "off", Label: "layout.keys_off"}}}.choose(onOff(!p.KeysOff)),
		Old:     field{ID: "old", Name: "old", Label: "account.password_now", Type: "password", Autocomplete: "current-password", Required: true},
		New:     newPasswordField("new", "account.new_password"),
	}
}

func (s *Server) getAccount(v *visit) error {
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	return s.showAccount(v, http.StatusOK, a, newAccountView(a.Profile))
}

func (s *Server) showAccount(v *visit, status int, a identity.Account, view *accountView) error {
	view.Account = s.card(a)
	view.Others, view.Must = len(s.others(v)), a.MustChange
	view.Takeout, view.Pictures = s.opt.Takeout != nil, s.pictures() != nil
	view.Providers = s.providers("")
	var err error
	if view.Links, err = s.links(v); err != nil {
		return err
	}
	v.fill(&view.page, "account", "account.account")
	return s.write(v, status, "account", view)
}

// others are the visitor's own sessions but this one and those that a token opened, which is what
// a new password ends.
func (s *Server) others(v *visit) (list []identity.Info) {
	for _, i := range s.opt.Registry.List(identity.Filter{Owner: v.creds.UserID}) {
		if i.ID != v.browser.ID() && i.TokenID == nil {
			list = append(list, i)
		}
	}
	return list
}

// Lengths of profile fields, in characters.
const (
	shortMost = 128
	aboutMost = 2000
)

// readProfile checks the fields of a profile form and notes each fault.
func (v *visit) readProfile(p *page, view *accountView, old identity.Profile) identity.Profile {
	for _, f := range []*field{&view.Name, &view.Email, &view.Phone, &view.About, &view.Lang, &view.TimeZone, &view.Formats} {
		f.Value = v.text(f.Name)
		most := shortMost
		if f.Rows > 1 {
			most = aboutMost
		}
		if !utf8.ValidString(f.Value) || utf8.RuneCountInString(f.Value) > most {
			p.trouble(f, v.T("account.at_most", v.T(f.Label), most))
		}
	}
	if m := view.Email.Value; m != "" && view.Email.Error == "" {
		if parsed, err := mail.ParseAddress(m); err != nil || parsed.Address != m {
			p.trouble(&view.Email, "account.this_is_no_e_mail_address")
		}
	}
	for _, f := range []*field{&view.Lang, &view.Formats} {
		if f.Value == "" {
			continue
		}
		if _, err := language.Parse(f.Value); err != nil {
			p.trouble(f, v.T("account.no_tag", v.T(f.Label)))
		}
	}
	if z := view.TimeZone.Value; z != "" {
		if _, err := time.LoadLocation(z); err != nil || z == "Local" {
			p.trouble(&view.TimeZone, "account.there_is_no_such_time_zone")
		}
	}
	old.Name, old.Email, old.Phone, old.About = view.Name.Value, view.Email.Value, view.Phone.Value, view.About.Value
	old.Lang, old.TimeZone, old.Formats = view.Lang.Value, view.TimeZone.Value, view.Formats.Value
	if keys := v.form("keys"); keys == "on" || keys == "off" {
		view.Keys, old.KeysOff = view.Keys.choose(keys), keys == "off"
	}
	return old
}

// onOff is a switch as forms send it.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (s *Server) postAccount(v *visit) error {
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	view := newAccountView(a.Profile)
	profile := v.readProfile(&view.page, view, a.Profile)
	if len(view.Problems) > 0 {
		return s.showAccount(v, http.StatusUnprocessableEntity, a, view)
	}
	if profile.Email != a.Profile.Email { // links that set a password go there
		if ok, err := s.confirmed(v); !ok || err != nil {
			return err
		}
	}
	if _, err := s.opt.Identity.SetUser(v.ctx(), v.actor(), v.creds.User, identity.UserChange{Profile: &profile}); err != nil {
		return v.refused("/account", "account.not_saved", err)
	}
	if v.Request().PostForm.Has("keys") {
		s.keepLook(v, keysCookie, "", false)
	}
	return v.done("/account", "account.the_profile_was_saved")
}

// postPassword asks the old one, so that an open screen does not suffice to take an account.
func (s *Server) postPassword(v *visit) error {
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	view := newAccountView(a.Profile)
	fresh := identity.NewSecret(v.form("new"))
	if fault := s.passwordFault(v, fresh, v.creds.User, a.Profile); fault != "" {
		view.trouble(&view.New, fault)
		return s.showAccount(v, http.StatusUnprocessableEntity, a, view)
	}
	if err := s.opt.Identity.CheckPassword(v.ctx(), v.browser.Session, identity.NewSecret(v.form("old"))); err != nil {
		an := answerTo(err)
		if an.fallback {
			return err
		}
		retryAfter(v.Response().Header(), err)
		text := an.words(v.words, err)
		if errors.Is(err, identity.ErrCredentials) {
			text, an.status = v.T("errors.password_wrong"), http.StatusUnprocessableEntity
		}
		view.trouble(&view.Old, text)
		return s.showAccount(v, an.status, a, view)
	}
	ended := len(s.others(v))
	change := identity.PasswordChange{Password: fresh, Keep: v.browser.Session, KeepOthers: v.form("keep") == "1"}
	if change.KeepOthers {
		ended = 0
	}
	if err := s.opt.Identity.ChangePassword(v.ctx(), v.actor(), v.creds.User, change); err != nil {
		if errors.Is(err, identity.ErrInvalid) {
			view.trouble(&view.New, v.spoken(err))
			return s.showAccount(v, http.StatusUnprocessableEntity, a, view)
		}
		return v.refused("/account", "account.the_password_was_not_changed", err)
	}
	if v.form("tokens") == "1" {
		if _, err := s.revokeTokens(v, v.actor(), v.creds.User); err != nil {
			return v.refused("/account", "account.the_password_was_changed_but_the", err)
		}
	}
	if ended == 0 {
		return v.done("/account", "account.the_password_was_changed")
	}
	return v.done("/account", "account.the_password_was_changed_and_other", ended)
}

// postTheme keeps light or dark in a cookie, so that the first paint is right.
func (s *Server) postTheme(v *visit) error {
	c := &http.Cookie{Name: themeCookie, Value: v.form("theme"), Path: s.below.cookies(), MaxAge: int((365 * 24 * time.Hour) / time.Second),
		HttpOnly: true, Secure: s.secure(v.Request()), SameSite: http.SameSiteLaxMode}
	if c.Value != "light" && c.Value != "dark" {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(v.Response(), c)
	return v.see(v.back())
}
