package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"trivium/identity"
)

// User is an account as JSON.
type User struct {
	ID           identity.UserID    `json:"id"`
	User         string             `json:"user" doc:"the login, with @domain where that is not the default one"`
	Login        string             `json:"login"`
	Domain       string             `json:"domain"`
	UID          uint32             `json:"uid"`
	GID          uint32             `json:"gid"`
	Group        string             `json:"group" doc:"the primary group"`
	GIDs         []uint32           `json:"gids"`
	Groups       []string           `json:"groups" doc:"supplementary groups, as gids"`
	Level        identity.Level     `json:"level"`
	State        identity.UserState `json:"state"`
	Protocols    []identity.Road    `json:"protocols" doc:"the roads it may log in on; empty: all"`
	Email        string             `json:"email"`
	Display      string             `json:"display"`
	Phone        string             `json:"phone"`
	About        string             `json:"about"`
	Lang         string             `json:"lang"`
	Formats      string             `json:"formats"`
	TimeZone     string             `json:"time_zone"`
	KeysOff      bool               `json:"keys_off" doc:"keys are no shortcuts on the pages"`
	QuotaBytes   int64              `json:"quota_bytes" doc:"0: the server's default, -1: no limit"`
	QuotaFiles   int64              `json:"quota_files" doc:"0: the server's default, -1: no limit"`
	UploadRate   int64              `json:"upload_rate" doc:"bytes a second of all its FTP uploads together; 0: the server's default, -1: no limit"`
	DownloadRate int64              `json:"download_rate" doc:"as upload_rate"`
	Transfers    int                `json:"transfers" doc:"FTP transfers at once; 0: the server's default, -1: no limit"`
	ExpiresAt    *time.Time         `json:"expires_at"`
	CreatedAt    time.Time          `json:"created_at"`
	LastLogin    *time.Time         `json:"last_login"`

	Factors []identity.FactorKind `json:"factors" doc:"second factors: passkey, totp, chat, and recovery codes"`

	Source     string `json:"source" doc:"the directory that keeps its password; empty: this server"`
	MustChange bool   `json:"must_change" doc:"the password has to be changed first"`
}

// display is the login of the default domain and login@domain of others.
func (a *API) display(login identity.UserName, domain string) string {
	if domain == a.domain() || domain == "" {
		return string(login)
	}
	return string(login) + "@" + domain
}

func (a *API) domain() string {
	d, err := identity.ParseDomain(a.o.Config.Domain)
	if err != nil {
		return a.o.Config.Domain
	}
	return d
}

func (a *API) user(acc identity.Account) User {
	u := User{
		ID: acc.ID, User: a.display(acc.Login, acc.Domain), Login: string(acc.Login), Domain: acc.Domain, UID: acc.UID, GID: acc.GID,
		Group: string(acc.Group.Name), GIDs: []uint32{}, Groups: []string{}, Level: acc.Level, State: acc.State,
		Protocols: append([]identity.Road{}, acc.Roads...), Email: acc.Profile.Email, Display: acc.Profile.Name, Phone: acc.Profile.Phone,
		About: acc.Profile.About, Lang: acc.Profile.Lang, Formats: acc.Profile.Formats, TimeZone: acc.Profile.TimeZone, KeysOff: acc.Profile.KeysOff,
		QuotaBytes: acc.QuotaBytes, QuotaFiles: acc.QuotaFiles,
		UploadRate: acc.Rates.Upload, DownloadRate: acc.Rates.Download, Transfers: acc.Rates.Transfers,
		ExpiresAt: moment(acc.ExpiresAt), CreatedAt: acc.CreatedAt.UTC(), LastLogin: moment(acc.LastLogin), MustChange: acc.MustChange,
	}
	u.Source, u.Factors = acc.Source, acc.Factors.Kinds()
	for _, g := range acc.Groups {
		u.GIDs, u.Groups = append(u.GIDs, g.GID), append(u.Groups, string(g.Name))
	}
	return u
}

// moment is nil for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// noUser gives an ErrNotFound about an account its name, and the nearest there is.
func (a *API) noUser(ctx context.Context, name string, err error) error {
	if !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	return notFound("user", name, a.id.Nearest(ctx, name))
}

// account reads one, or says which name is near.
func (a *API) account(ctx context.Context, name string) (identity.Account, error) {
	acc, err := a.id.User(ctx, name)
	if errors.Is(err, identity.ErrInvalid) {
		err = identity.ErrNotFound // what is no name is nobody's
	}
	if err != nil {
		return acc, a.noUser(ctx, name, err)
	}
	return acc, nil
}

// Named is a user in a path.
type Named struct {
	Name string `path:"name" doc:"login, alias or login@domain"`
}

type userOut struct{ Body User }

// NewUser is the body of an account to be made.
type NewUser struct {
	Login     string          `json:"login" doc:"may be login@domain"`
	Level     *Level          `json:"level,omitempty" doc:"absent: the default level"`
	Password  string          `json:"password,omitempty" doc:"absent: none is set, only tokens work" writeOnly:"true"`
	Groups    []string        `json:"groups,omitempty"`
	UID       uint32          `json:"uid,omitempty" doc:"absent: the next free one"`
	GID       uint32          `json:"gid,omitempty" doc:"absent: that of a group of its own"`
	Email     string          `json:"email,omitempty"`
	Display   string          `json:"display,omitempty"`
	Lang      string          `json:"lang,omitempty"`
	TimeZone  string          `json:"time_zone,omitempty"`
	Protocols []identity.Road `json:"protocols,omitempty" doc:"ftp, web, xmpp; empty: all"`
	Invited   bool            `json:"invited,omitempty" doc:"the person sets the password, by an invitation"`
}

// UserPatch changes what is present.
type UserPatch struct {
	Level        *Level           `json:"level,omitempty"`
	UID          *uint32          `json:"uid,omitempty"`
	GID          *uint32          `json:"gid,omitempty"`
	Email        *string          `json:"email,omitempty"`
	Display      *string          `json:"display,omitempty"`
	Phone        *string          `json:"phone,omitempty"`
	About        *string          `json:"about,omitempty"`
	Lang         *string          `json:"lang,omitempty"`
	Formats      *string          `json:"formats,omitempty"`
	TimeZone     *string          `json:"time_zone,omitempty"`
	QuotaBytes   *int64           `json:"quota_bytes,omitempty" doc:"0: the server's default, -1: no limit"`
	QuotaFiles   *int64           `json:"quota_files,omitempty" doc:"0: the server's default, -1: no limit"`
	UploadRate   *int64           `json:"upload_rate,omitempty" doc:"bytes a second; 0: the server's default, -1: no limit"`
	DownloadRate *int64           `json:"download_rate,omitempty" doc:"as upload_rate"`
	Transfers    *int             `json:"transfers,omitempty" doc:"0: the server's default, -1: no limit"`
	Protocols    *[]identity.Road `json:"protocols,omitempty"`
	ExpiresAt    *string          `json:"expires_at,omitempty" doc:"RFC 3339, or never"`
}

func (a *API) registerUsers() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/me", "me", "One's own account", a.me)
	tagged(a, identity.LevelLoggedIn, http.MethodPatch, "/me", "set-me", "Change one's own profile; not with a token without scope admin", a.meIn, a.setMe)
	handle(a, identity.LevelStaff, http.MethodGet, "/users", "list-users", "List accounts by login", a.listUsers)
	handle(a, identity.LevelAdmin, http.MethodPost, "/users", "add-user", "Make an account", a.addUser)
	handle(a, identity.LevelStaff, http.MethodGet, "/users/{name}", "show-user", "Show an account", a.showUser)
	tagged(a, identity.LevelAdmin, http.MethodPatch, "/users/{name}", "set-user", "Change an account", a.userIn, a.setUser)
	tagged(a, identity.LevelAdmin, http.MethodPut, "/users/{name}/password", "set-password", "Set or remove an account's password", a.userIn, a.setPassword)
	tagged(a, identity.LevelModerator, http.MethodPost, "/users/{name}/disable", "disable-user", "Disable an account and end its sessions", a.userIn, a.state(identity.UserDisabled))
	tagged(a, identity.LevelModerator, http.MethodPost, "/users/{name}/enable", "enable-user", "Enable an account", a.userIn, a.state(identity.UserActive))
	tagged(a, identity.LevelAdmin, http.MethodDelete, "/users/{name}", "remove-user", "Remove an account; its login stays reserved, its files stay", a.userIn, a.removeUser)
}

func (a *API) me(ctx context.Context, _ *struct{}) (*userOut, error) {
	acc, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	return &userOut{a.user(acc)}, nil
}

// ProfilePatch changes what is present.
type ProfilePatch struct {
	Email    *string `json:"email,omitempty"`
	Display  *string `json:"display,omitempty"`
	Phone    *string `json:"phone,omitempty"`
	About    *string `json:"about,omitempty"`
	Lang     *string `json:"lang,omitempty"`
	Formats  *string `json:"formats,omitempty"`
	TimeZone *string `json:"time_zone,omitempty"`
	KeysOff  *bool   `json:"keys_off,omitempty" doc:"keys are no shortcuts on the pages"`
}

// meIn is the caller's own account, whatever the path says.
func (a *API) meIn(ctx context.Context, r identity.StoreReader, _ string) (any, error) {
	acc, err := r.AccountByID(ctx, who(ctx).owner)
	if err != nil {
		return nil, err
	}
	return a.user(acc), nil
}

// setMe is not for tokens that were lent: links that set a password go to the e-mail address.
func (a *API) setMe(ctx context.Context, in *struct{ Body ProfilePatch }) (*userOut, error) {
	acc, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	c := who(ctx)
	if c.grant != nil && !c.grant.Admin {
		return nil, wider("the profile of its owner")
	}
	b := in.Body
	p, changed := UserPatch{Email: b.Email, Display: b.Display, Phone: b.Phone, About: b.About, Lang: b.Lang, Formats: b.Formats, TimeZone: b.TimeZone}.profile(acc.Profile)
	if b.KeysOff != nil {
		p.KeysOff, changed = *b.KeysOff, true
	}
	if !changed {
		return &userOut{a.user(acc)}, nil
	}
	if acc, err = a.id.SetUser(ctx, c.actor, string(acc.Login)+"@"+acc.Domain, identity.UserChange{Profile: &p}); err != nil {
		return nil, err
	}
	return &userOut{a.user(acc)}, nil
}

// own is the account of who asks; on the control socket nobody does, and there is none.
func (a *API) own(ctx context.Context) (identity.Account, error) {
	c := who(ctx)
	if c.owner == "" {
		return identity.Account{}, hidden()
	}
	return a.id.UserByID(ctx, c.owner)
}

type userFilter struct {
	Text   string `query:"text" doc:"part of login, name or e-mail"`
	Level  string `query:"level"`
	Group  string `query:"group"`
	State  string `query:"state" enum:"invited,active,disabled"`
	Factor string `query:"second_factor" enum:"yes,no" doc:"whether it has one"`
	Offset int    `query:"offset" minimum:"0" doc:"how many to leave out; of a long list it costs less to ask for those after the last one"`
	After  string `query:"after" doc:"a login, or login@domain: those that come after it"`
	PageIn
}

func (a *API) listUsers(ctx context.Context, in *userFilter) (*struct{ Body []User }, error) {
	level, err := levelOf(in.Level)
	if err != nil {
		return nil, err
	}
	var factor *bool
	if in.Factor != "" {
		has := in.Factor == "yes"
		factor = &has
	}
	x := who(ctx).exchange
	f := identity.UserFilter{Factor: factor, Text: in.Text, Level: level, Group: in.Group, State: identity.UserState(in.State), Limit: x.page.limit + 1, Offset: in.Offset}
	after := in.After
	if in.Cursor != "" {
		after, f.Offset = string(x.page.from.key), 0
	}
	if after != "" {
		if f.After, err = a.id.PlaceOf(after); err != nil {
			return nil, err
		}
	}
	list, err := a.id.Users(ctx, f)
	if err != nil {
		return nil, err
	}
	if len(list) > x.page.limit {
		list = list[:x.page.limit]
		last := list[len(list)-1]
		x.next(place{key: []byte(string(last.Login) + "@" + last.Domain)})
	}
	return listed(list, a.user), nil
}

type addUserIn struct{ Body NewUser }

type addUserOut struct {
	Status   int
	Location string `header:"Location"`
	Body     User
}

func (a *API) addUser(ctx context.Context, in *addUserIn) (*addUserOut, error) {
	b := in.Body
	n := identity.NewUser{
		Login: b.Login, Groups: b.Groups, UID: b.UID, GID: b.GID, Roads: b.Protocols, Invited: b.Invited,
		Profile: identity.Profile{Email: b.Email, Name: b.Display, Lang: b.Lang, TimeZone: b.TimeZone},
	}
	if b.Level != nil {
		if n.Level = b.Level.Level; n.Level == identity.LevelNone {
			return nil, invalid("an account cannot hold the level none")
		}
	}
	if b.Password != "" {
		n.Password = identity.NewSecret(b.Password)
	}
	if err := checkRoads(b.Protocols); err != nil {
		return nil, err
	}
	acc, err := a.id.AddUser(ctx, who(ctx).actor, n)
	if err != nil {
		return nil, err
	}
	u := a.user(acc)
	return &addUserOut{http.StatusCreated, Prefix + "/users/" + u.User, u}, nil
}

func checkRoads(list []identity.Road) error {
	for _, r := range list {
		if !slices.Contains([]identity.Road{identity.RoadFTP, identity.RoadWeb, identity.RoadXMPP}, r) {
			return invalid("%q is not a road; the roads are ftp, web, xmpp", r)
		}
	}
	return nil
}

func (a *API) showUser(ctx context.Context, in *Named) (*userOut, error) {
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &userOut{a.user(acc)}, nil
}

type setUserIn struct {
	Named
	Body UserPatch
}

func (a *API) setUser(ctx context.Context, in *setUserIn) (*userOut, error) {
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	b := in.Body
	c := identity.UserChange{UID: b.UID, GID: b.GID, QuotaBytes: b.QuotaBytes, QuotaFiles: b.QuotaFiles,
		UploadRate: b.UploadRate, DownloadRate: b.DownloadRate, Transfers: b.Transfers, Roads: b.Protocols}
	if b.Level != nil {
		c.Level = &b.Level.Level
	}
	if b.Protocols != nil {
		if err := checkRoads(*b.Protocols); err != nil {
			return nil, err
		}
	}
	if b.QuotaBytes != nil && *b.QuotaBytes < -1 || b.QuotaFiles != nil && *b.QuotaFiles < -1 {
		return nil, invalid("a quota is a number from 1, 0 for the server's default, or -1 for no limit")
	}
	if b.ExpiresAt != nil {
		t, err := expiry(*b.ExpiresAt)
		if err != nil {
			return nil, err
		}
		c.ExpiresAt = &t
	}
	if p, changed := b.profile(acc.Profile); changed {
		c.Profile = &p
	}
	acc, err = a.id.SetUser(ctx, who(ctx).actor, in.Name, c)
	if err != nil {
		return nil, a.noUser(ctx, in.Name, err)
	}
	return &userOut{a.user(acc)}, nil
}

// profile is p with what the patch says.
func (b UserPatch) profile(p identity.Profile) (identity.Profile, bool) {
	changed := false
	for _, f := range []struct {
		to   *string
		from *string
	}{
		{&p.Email, b.Email},
		{&p.Name, b.Display},
		{&p.Phone, b.Phone},
		{&p.About, b.About},
		{&p.Lang, b.Lang},
		{&p.Formats, b.Formats},
		{&p.TimeZone, b.TimeZone},
	} {
		if f.from != nil {
			*f.to, changed = *f.from, true
		}
	}
	return p, changed
}

func expiry(s string) (time.Time, error) {
	if strings.EqualFold(s, "never") || s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, invalid("expires_at is a time such as 2030-01-31T00:00:00Z, or never")
	}
	return t, nil
}

type setPasswordIn struct {
	Named
	Body struct {
		Password     string `json:"password" doc:"empty removes it: then only tokens work" writeOnly:"true"`
		MustChange   bool   `json:"must_change,omitempty" doc:"it is good for choosing another one on the web, and for nothing else"`
		KeepSessions bool   `json:"keep_sessions,omitempty" doc:"what was logged in with the old one goes on"`
	}
}

type nothing struct{}

func (a *API) setPassword(ctx context.Context, in *setPasswordIn) (*nothing, error) {
	var secret identity.Secret
	if in.Body.Password != "" {
		secret = identity.NewSecret(in.Body.Password)
	}
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if c := who(ctx); c.grant != nil && acc.ID == c.owner {
		// A token may be bound to a time and a place; the password that it would choose is not.
		return nil, wider("the password of its owner")
	}
	return nil, a.id.ChangePassword(ctx, who(ctx).actor, in.Name, identity.PasswordChange{Password: secret,
		MustChange: in.Body.MustChange, KeepOthers: in.Body.KeepSessions})
}

func (a *API) state(s identity.UserState) func(context.Context, *Named) (*userOut, error) {
	return func(ctx context.Context, in *Named) (*userOut, error) {
		if _, err := a.account(ctx, in.Name); err != nil {
			return nil, err
		}
		acc, err := a.id.SetUser(ctx, who(ctx).actor, in.Name, identity.UserChange{State: &s})
		if err != nil {
			return nil, err
		}
		return &userOut{a.user(acc)}, nil
	}
}

func (a *API) removeUser(ctx context.Context, in *Named) (*nothing, error) {
	if _, err := a.account(ctx, in.Name); err != nil {
		return nil, err
	}
	return nil, a.id.RemoveUser(ctx, who(ctx).actor, in.Name)
}
