package web

import (
	"errors"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"trivium/identity"
	"trivium/web/text"
)

type usersView struct {
	page
	Rows                           []userRow
	Query, Group                   string
	Levels, States, Factors        []option
	Filtered                       bool
	Alone                          bool // nobody but the visitor
	Login, Password, Level, Groups field
	Prev, Next                     string
	Page, Pages                    int
	Count                          string
}

type userRow struct {
	accountCard
	Display  string
	Path     string
	Sessions int
	Factors  string // "": none
}

func (s *Server) newUsersView(v *visit) *usersView {
	return &usersView{
		Login:    field{ID: "login", Name: "login", Label: "admin_users.user_name", Type: "text", Autocomplete: "off", Required: true, Help: "admin_users.letters_digits_and_are_allowed_it"},
		Password: newPasswordField("password", "common.password"),
		Level:    field{ID: "level", Name: "level", Label: "common.level", Options: levelOptions(v.words, v.level)}.choose("10"),
		Groups:   field{ID: "groups", Name: "groups", Label: "common.groups", Type: "text", Help: "admin_users.names_of_further_groups_with_spaces"},
	}
}

// levelOptions are the levels that somebody may give: those below one's own, for ROOT all.
func levelOptions(words *text.Language, own identity.Level) (list []option) {
	for _, l := range identity.Levels() {
		if l.Holdable() && (l < own || own == identity.LevelRoot) {
			list = append(list, option{Value: levelNumber(l), Label: levelLabel(words, l)})
		}
	}
	return list
}

func (s *Server) getUsers(v *visit) error { return s.showUsers(v, http.StatusOK, s.newUsersView(v)) }

func (s *Server) showUsers(v *visit, status int, view *usersView) error {
	f := identity.UserFilter{Text: v.QueryParam("q"), Group: v.QueryParam("group"), State: identity.UserState(v.QueryParam("state"))}
	if l, err := identity.ParseLevel(v.QueryParam("level")); err == nil {
		f.Level = &l
	}
	if has := v.QueryParam("factor"); has == "yes" || has == "no" {
		yes := has == "yes"
		f.Factor = &yes
	}
	for _, o := range []option{{Label: "admin_users.2fa_or_not"}, {Value: "yes", Label: "admin_users.with_2fa"}, {Value: "no", Label: "admin_users.without_2fa"}} {
		o.Selected = o.Value == v.QueryParam("factor")
		view.Factors = append(view.Factors, o)
	}
	view.Query, view.Group = f.Text, f.Group
	view.Filtered = f.Text != "" || f.Group != "" || f.State != "" || f.Level != nil || f.Factor != nil
	view.Levels = []option{{Label: "admin_users.all_levels"}}
	for _, o := range levelOptions(v.words, identity.LevelRoot) {
		o.Selected = f.Level != nil && levelNumber(*f.Level) == o.Value
		view.Levels = append(view.Levels, o)
	}
	for _, o := range []option{{Label: "admin_users.all_states"}, {Value: "active", Label: "admin_users.active"}, {Value: "disabled", Label: "admin_users.disabled"}} {
		o.Selected = o.Value == string(f.State)
		view.States = append(view.States, o)
	}
	list, err := s.usersPage(v, view, f)
	if err != nil {
		return err
	}
	for _, a := range list {
		c := s.card(a)
		view.Rows = append(view.Rows, userRow{accountCard: c, Display: a.Profile.Name, Path: userPath(c.User),
			Sessions: s.opt.Registry.Count(identity.Filter{Owner: a.ID}), Factors: secondFactors(a.Factors)})
	}
	view.Alone = !view.Filtered && len(list) <= 1
	v.fill(&view.page, "admin.users", "admin_users.users")
	return s.write(v, status, "admin_users", view)
}

// maxCounted is how many accounts that match a filter are counted; of more the page says that there are.
const maxCounted = 10_000

// usersPage reads one page, and links those beside it by the accounts where they begin, as pages that are
// found by number take the longer the further they are.
func (s *Server) usersPage(v *visit, view *usersView, f identity.UserFilter) (list []identity.Account, err error) {
	if view.Filtered {
		f.Limit = maxCounted + 1
	}
	n, err := s.opt.Identity.CountUsers(v.ctx(), f)
	if err != nil {
		return nil, err
	}
	view.Count = strconv.Itoa(n)
	if f.Limit > 0 && n == f.Limit {
		view.Count = v.T("admin_users.over", maxCounted)
	}
	f.Limit = perPage
	_, _, view.Pages, view.Page = pager(v.QueryParam("page"), n)
	after, before := v.QueryParam("after"), v.QueryParam("before")
	switch {
	case after != "":
		f.After, err = s.opt.Identity.PlaceOf(after)
	case before != "":
		f.Before, err = s.opt.Identity.PlaceOf(before)
	default:
		f.Offset = (view.Page - 1) * perPage
	}
	if err != nil { // no name, so no page
		f.After, f.Before, view.Page = identity.UserPlace{}, identity.UserPlace{}, 1
	}
	if list, err = s.opt.Identity.Users(v.ctx(), f); err != nil || len(list) == 0 || v.Request().Method != http.MethodGet {
		return list, err
	}
	link := func(page int, by string, a identity.Account) string {
		q := v.Request().URL.Query()
		q.Del("after")
		q.Del("before")
		q.Set("page", strconv.Itoa(page))
		q.Set(by, s.display(a.Login, a.Domain))
		return v.Request().URL.EscapedPath() + "?" + q.Encode()
	}
	if view.Page > 1 {
		view.Prev = link(view.Page-1, "before", list[0])
	}
	if view.Page < view.Pages || n > maxCounted && len(list) == perPage {
		view.Next = link(view.Page+1, "after", list[len(list)-1])
	}
	return list, nil
}

// secondFactors are the factors of an account in words, without the codes that only stand in for one.
func secondFactors(set identity.FactorSet) string {
	var list []string
	for _, k := range set.Kinds() {
		if k != identity.FactorRecovery {
			list = append(list, map[identity.FactorKind]string{identity.FactorPasskey: "passkey", identity.FactorTOTP: "app", identity.FactorChat: "chat"}[k])
		}
	}
	return strings.Join(list, ", ")
}

func userPath(name string, more ...string) string {
	return pathOf(append([]string{"admin", "users", name}, more...)...)
}

func (s *Server) postNewUser(v *visit) error {
	view := s.newUsersView(v)
	view.Login.Value, view.Groups.Value = v.text("login"), v.text("groups")
	view.Level = view.Level.choose(v.form("level"))
	password := identity.NewSecret(v.form("password"))
	if view.Login.Value == "" {
		view.trouble(&view.Login, "admin_users.choose_a_user_name")
	}
	if fault := s.passwordFault(v, password, view.Login.Value, identity.Profile{}); fault != "" {
		view.trouble(&view.Password, fault)
	}
	level, err := identity.ParseLevel(v.form("level"))
	if err != nil || !level.Holdable() {
		view.trouble(&view.Level, "admin_users.choose_a_level")
	}
	if len(view.Problems) > 0 {
		return s.showUsers(v, http.StatusUnprocessableEntity, view)
	}
	a, err := s.opt.Identity.AddUser(v.ctx(), v.actor(), identity.NewUser{Login: view.Login.Value, Level: level, Password: password, Groups: names(view.Groups.Value)})
	if err != nil {
		an := answerTo(err)
		if an.fallback {
			return err
		}
		f, text := &view.Login, an.words(v.words, err)
		if errors.Is(err, identity.ErrNotFound) {
			f, text, an.status = &view.Groups, "admin_users.there_is_no_such_group_create", http.StatusUnprocessableEntity
		}
		view.trouble(f, text)
		return s.showUsers(v, an.status, view)
	}
	name := s.display(a.Login, a.Domain)
	return v.done(userPath(name), "admin_users.the_user_was_created", name)
}

// names splits what people write between names.
func names(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\n' || r == '\r' || r == '\t' })
}

type userView struct {
	page
	Account                                   accountCard
	Base                                      string // path of the account's page
	Own, Root                                 bool   // the visitor's account; the visitor is ROOT
	ReadOnly                                  bool   // the level is not below the visitor's
	LevelField, GroupsField, Password         field
	Name, Email, Phone, About, Lang, TimeZone field
	Formats                                   field
	sessionList
	Attempts     []auditRow
	Tokens       int
	Factors      []factorRow
	Certificates []certificateRow
	Must         bool   // the password has to be changed
	MailTo       string // where a link can be sent; "": nowhere
	Address      string
}

func (s *Server) getUser(v *visit) error {
	a, err := s.opt.Identity.User(v.ctx(), v.param("name"))
	if err != nil {
		return err
	}
	name := s.display(a.Login, a.Domain)
	if v.param("name") != name {
		return v.see(userPath(name)) // one spelling, one page
	}
	return s.showUser(v, http.StatusOK, a, newAccountView(a.Profile), nil)
}

func (s *Server) showUser(v *visit, status int, a identity.Account, pv *accountView, password *field) error {
	c := s.card(a)
	view := &userView{Account: c, Address: string(a.Login) + "@" + a.Domain, Base: userPath(c.User), Own: a.ID == v.creds.UserID, Root: v.level == identity.LevelRoot,
		Name: pv.Name, Email: pv.Email, Phone: pv.Phone, About: pv.About, Lang: pv.Lang, TimeZone: pv.TimeZone, Formats: pv.Formats,
		LevelField:  field{ID: "level", Name: "level", Label: "common.level", Options: levelOptions(v.words, v.level)}.choose(levelNumber(a.Level)),
		GroupsField: field{ID: "groups", Name: "groups", Label: "admin_users.further_groups", Type: "text", Value: strings.Join(c.Groups, " "), Help: "admin_users.names_with_spaces_between_what_is"},
		Password:    newPasswordField("password", "admin_users.new_password")}
	view.Problems = pv.Problems
	if password != nil {
		view.Password = *password
	}
	view.Must = a.MustChange
	if s.opt.Mail {
		view.MailTo = a.Profile.Email
	}
	view.ReadOnly = !view.Own && v.level != identity.LevelRoot && a.Level >= v.level
	list := s.opt.Registry.List(identity.Filter{Owner: a.ID})
	newestFirst(list)
	attempts, err := s.loginAttempts(v, c.User)
	if err != nil {
		return err
	}
	tokens, err := s.opt.Tokens.List(v.ctx(), c.User)
	if err != nil {
		return err
	}
	factors, err := s.opt.Identity.Factors(v.ctx(), c.User)
	if err != nil {
		return err
	}
	for _, f := range factors {
		view.Factors = append(view.Factors, factorRow{Factor: f, RemovePath: userPath(c.User, "factors", f.ID, "remove")})
	}
	if view.Certificates, err = s.certificateRows(v, c.User, func(f string) string { return userPath(c.User, "certificates", f, "remove") }); err != nil {
		return err
	}
	view.Attempts, view.Tokens = attempts, len(tokens)
	v.fill(&view.page, "admin.users", c.User)
	view.Rows = s.sessionRows(v, &view.page, list, "/admin/sessions")
	return s.write(v, status, "admin_user", view)
}

// target reads the account that a form is about.
func (s *Server) target(v *visit) (identity.Account, string, error) {
	a, err := s.opt.Identity.User(v.ctx(), v.param("name"))
	if err != nil {
		return a, "", err
	}
	return a, s.display(a.Login, a.Domain), nil
}

func (s *Server) postUserLevel(v *visit) error {
	_, name, err := s.target(v)
	if err != nil {
		return err
	}
	level, err := identity.ParseLevel(v.form("level"))
	if err == nil {
		_, err = s.opt.Identity.SetUser(v.ctx(), v.actor(), name, identity.UserChange{Level: &level})
	}
	if err != nil {
		return v.refused(userPath(name), "admin_users.the_level_was_not_changed", err)
	}
	return v.done(userPath(name), "admin_users.now_has_the_level", name, levelLabel(v.words, level))
}

func (s *Server) postUserProfile(v *visit) error {
	a, name, err := s.target(v)
	if err != nil {
		return err
	}
	pv := newAccountView(a.Profile)
	profile := v.readProfile(&pv.page, pv, a.Profile)
	if len(pv.Problems) > 0 {
		return s.showUser(v, http.StatusUnprocessableEntity, a, pv, nil)
	}
	if _, err := s.opt.Identity.SetUser(v.ctx(), v.actor(), name, identity.UserChange{Profile: &profile}); err != nil {
		return v.refused(userPath(name), "admin_users.the_profile_was_not_saved", err)
	}
	return v.done(userPath(name), "admin_users.the_profile_was_saved")
}

// postUserState disables or enables, as the route's last word says.
func (s *Server) postUserState(v *visit) error {
	a, name, err := s.target(v)
	if err != nil {
		return err
	}
	state, word := identity.UserDisabled, "disabled"
	if strings.HasSuffix(v.route.Path, "/enable") {
		state, word = identity.UserActive, "enabled"
	}
	if a.ID == v.creds.UserID && state == identity.UserDisabled {
		return v.refused(userPath(name), "admin_users.you_cannot_disable_your_own_account", identity.ErrRefused)
	}
	n := len(s.opt.Registry.List(identity.Filter{Owner: a.ID}))
	if _, err := s.opt.Identity.SetUser(v.ctx(), v.actor(), name, identity.UserChange{State: &state}); err != nil {
		return v.refused(userPath(name), v.T("admin_users.was_not", name, word), err)
	}
	if state == identity.UserDisabled && n > 0 {
		return v.done(userPath(name), "admin_users.was_disabled_and_sessions_ended", name, n)
	}
	return v.done(userPath(name), "admin_users.was", name, word)
}

func (s *Server) postUserPassword(v *visit) error {
	a, name, err := s.target(v)
	if err != nil {
		return err
	}
	if a.ID == v.creds.UserID { // an open screen must not suffice to take the account
		return v.refused(userPath(name), "admin_users.the_password_was_not_set_change", identity.ErrRefused)
	}
	fresh := identity.NewSecret(v.form("password"))
	if fault := s.passwordFault(v, fresh, name, a.Profile); fault != "" {
		pv, f := newAccountView(a.Profile), newPasswordField("password", "admin_users.new_password")
		pv.trouble(&f, fault)
		return s.showUser(v, http.StatusUnprocessableEntity, a, pv, &f)
	}
	err = s.opt.Identity.ChangePassword(v.ctx(), v.actor(), name, identity.PasswordChange{Password: fresh, MustChange: v.form("must") == "1"})
	if err != nil {
		return v.refused(userPath(name), "admin_users.the_password_was_not_set", err)
	}
	return v.done(userPath(name), "admin_users.the_password_of_was_set_what", name)
}

// postUserGroups makes the further groups those that the form names.
func (s *Server) postUserGroups(v *visit) error {
	a, name, err := s.target(v)
	if err != nil {
		return err
	}
	if a.ID != v.creds.UserID && !v.outranks(a.Level) {
		return v.refused(userPath(name), "admin_users.the_groups_were_not_changed", identity.ErrRefused)
	}
	want, have := map[string]bool{}, map[string]bool{}
	for _, g := range names(v.form("groups")) {
		n, err := identity.ParseUserName(g)
		if err != nil {
			return v.refused(userPath(name), "admin_users.the_groups_were_not_changed", err)
		}
		want[string(n)] = string(n) != string(a.Group.Name)
	}
	for _, g := range a.Groups {
		have[string(g.Name)] = true
	}
	for _, g := range sorted(want) {
		if !have[g] && want[g] {
			if err := s.opt.Identity.AddMembers(v.ctx(), v.actor(), g, []string{name}, false); err != nil {
				return v.refused(userPath(name), v.T("admin_users.the_group_was_not_added", g), absentAs(err, errNoGroup))
			}
		}
	}
	for _, g := range sorted(have) {
		if !want[g] {
			if err := s.opt.Identity.RemoveMembers(v.ctx(), v.actor(), g, []string{name}); err != nil {
				return v.refused(userPath(name), v.T("admin_users.the_group_was_not_removed", g), err)
			}
		}
	}
	return v.done(userPath(name), "admin_users.the_groups_of_were_changed", name)
}

func sorted(m map[string]bool) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}

// absentAs turns "not found" into an answer of its own: here it tells of a name in a form, not of
// the page.
func absentAs(err, as error) error {
	if errors.Is(err, identity.ErrNotFound) {
		return as
	}
	return err
}

func (s *Server) postUserEndSessions(v *visit) error {
	a, name, err := s.target(v)
	if err != nil {
		return err
	}
	if a.ID != v.creds.UserID && !v.outranks(a.Level) {
		return v.refused(userPath(name), "admin_users.no_session_was_ended", identity.ErrRefused)
	}
	n := 0
	for _, i := range s.opt.Registry.List(identity.Filter{Owner: a.ID}) {
		if i.ID != v.browser.ID() && s.end(v, i) == nil {
			n++
		}
	}
	return v.done(userPath(name), "admin_users.sessions_of_ended", n, name)
}
