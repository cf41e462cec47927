package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// user is an account as the API shows it.
type user struct {
	User         string     `json:"user"`
	UID          uint32     `json:"uid"`
	GID          uint32     `json:"gid"`
	Group        string     `json:"group"`
	Groups       []string   `json:"groups"`
	Level        int        `json:"level"`
	State        string     `json:"state"`
	Protocols    []string   `json:"protocols"`
	Email        string     `json:"email"`
	Display      string     `json:"display"`
	Lang         string     `json:"lang"`
	TimeZone     string     `json:"time_zone"`
	QuotaBytes   int64      `json:"quota_bytes"`
	QuotaFiles   int64      `json:"quota_files"`
	UploadRate   int64      `json:"upload_rate"`
	DownloadRate int64      `json:"download_rate"`
	Transfers    int        `json:"transfers"`
	ExpiresAt    *time.Time `json:"expires_at"`
	CreatedAt    time.Time  `json:"created_at"`
	LastLogin    *time.Time `json:"last_login"`
	Source       string     `json:"source"`
	Factors      []string   `json:"factors"`
}

type userCmd struct {
	List    userListCmd    `cmd:"" aliases:"ls" help:"List accounts."`
	Show    userShowCmd    `cmd:"" help:"Show an account."`
	Add     userAddCmd     `cmd:"" help:"Make an account."`
	Set     userSetCmd     `cmd:"" help:"Change an account; it counts at once for live sessions."`
	Passwd  userPasswdCmd  `cmd:"" help:"Set a password; sessions that logged in with the old one end."`
	Disable userDisableCmd `cmd:"" help:"Disable an account and end its sessions on all roads."`
	Enable  userEnableCmd  `cmd:"" help:"Enable an account again."`
	Remove  userRemoveCmd  `cmd:"" aliases:"rm" help:"Remove an account; its files stay, its login stays reserved."`

	Factor userFactorCmd `cmd:"" help:"Second factors of accounts; people set them up on the web pages."`

	Export userExportCmd `cmd:"" help:"Write all that is kept of a person, and their files, to one archive; or the list of all accounts."`
	Import userImportCmd `cmd:"" help:"Make accounts of those of another server: passwd and shadow, ProFTPD, Pure-FTPd, SFTPGo, Prosody, ejabberd, CSV."`
}

type userListCmd struct {
	Text  string `arg:"" optional:"" help:"Part of login, name or e-mail."`
	Level string `name:"level" placeholder:"LEVEL" help:"Only this level, by name or number."`
	Group string `name:"group" placeholder:"GROUP" help:"Only members of this group."`
	State string `name:"state" placeholder:"STATE" enum:"active,disabled,invited," default:"" help:"active, disabled or invited."`
	No2FA bool   `name:"no-2fa" help:"Only those without a second factor."`
}

// userPage is how many accounts one request brings; it is the API's bound.
const userPage = 1000

// Run lists all pages.
func (c *userListCmd) Run(s *shell) error {
	q := query("text", c.Text, "level", c.Level, "group", c.Group, "state", c.State, "limit", strconv.Itoa(userPage))
	if c.No2FA {
		q.Set("second_factor", "no")
	}
	var all []byte
	var list []user
	for {
		var page []user
		text, err := s.get("/users", q, &page)
		if err != nil {
			return err
		}
		if all, err = joinArrays(all, text); err != nil {
			return err
		}
		list = append(list, page...)
		if len(page) < userPage {
			break
		}
		q.Set("after", page[len(page)-1].User)
	}
	if s.JSON {
		return s.json(all)
	}
	var rows [][]string
	for _, u := range list {
		rows = append(rows, []string{u.User, level(u.Level), strconv.Itoa(int(u.UID)), strings.Join(append([]string{u.Group}, u.Groups...), ","), u.State, day(u.LastLogin), u.Display})
	}
	return s.table("No accounts.", []string{"USER", "LEVEL", "UID", "GROUPS", "STATE", "LAST LOGIN", "NAME"}, rows, "UID")
}

type userShowCmd struct {
	Login string `arg:"" name:"login" help:"Login, alias or login@domain."`
}

// Run shows one account.
func (c *userShowCmd) Run(s *shell) error {
	var u user
	if shown, err := s.fetch("/users"+at(c.Login), nil, &u); shown || err != nil {
		return err
	}
	var home quotaInfo
	if _, err := s.get("/users"+at(c.Login)+"/quota", nil, &home); err != nil {
		return err
	}
	var factors []factor
	if _, err := s.get("/users"+at(c.Login, "factors"), nil, &factors); err != nil {
		return err
	}
	var shown []string
	for _, f := range factors {
		shown = append(shown, f.Kind+" "+f.words())
	}
	return s.fields("user", u.User, "name", u.Display, "email", u.Email, "level", level(u.Level), "state", u.State,
		"uid", strconv.Itoa(int(u.UID)), "gid", strconv.Itoa(int(u.GID))+" ("+u.Group+")", "groups", strings.Join(u.Groups, ", "),
		"roads", orAll(u.Protocols), "quota", quota(u.QuotaBytes), "used", home.used(), "files", home.usedFiles(), "upload rate", rate(u.UploadRate), "download rate", rate(u.DownloadRate), "transfers", atOnce(u.Transfers),
		"expires", day(u.ExpiresAt), "created", day(&u.CreatedAt), "last login", day(u.LastLogin),
		"language", u.Lang, "time zone", u.TimeZone, "second factors", strings.Join(shown, ", "), "source", u.Source)
}

func orAll(list []string) string {
	if len(list) == 0 {
		return "all"
	}
	return strings.Join(list, ", ")
}

func quota(n int64) string {
	switch {
	case n < 0:
		return "none"
	case n == 0:
		return "default"
	}
	return size(n)
}

// rate is a bound in bytes a second for people.
func rate(n int64) string {
	if n <= 0 {
		return quota(n)
	}
	return size(n) + "/s"
}

func atOnce(n int) string {
	if n <= 0 {
		return quota(int64(n))
	}
	return strconv.Itoa(n)
}

type userAddCmd struct {
	Login     string   `arg:"" name:"login" help:"The new login; login@domain for a further domain."`
	Level     string   `name:"level" placeholder:"LEVEL" help:"user, customer, staff, moderator, admin, root, or a number."`
	Groups    []string `name:"group" sep:"none" placeholder:"GROUP" help:"A group that it joins; may come again."`
	UID       uint32   `name:"uid" placeholder:"N" help:"Its uid; else the next free one."`
	GID       uint32   `name:"gid" placeholder:"N" help:"Its primary gid; else that of a group of its own."`
	Email     string   `name:"email" placeholder:"ADDRESS" help:"E-mail address."`
	Display   string   `name:"display" placeholder:"NAME" help:"The name that people see."`
	Protocols []string `name:"protocol" placeholder:"ROAD" help:"The roads it may log in on: ftp, web, xmpp; else all."`
	Invite    bool     `name:"invite" xor:"password" help:"Set no password, and print the link by which the person does."`
	passwordFlags
}

// Help has the examples.
func (c *userAddCmd) Help() string {
	return "Examples:\n\n  trivium user add alice --level customer --group staff\n  trivium user add scanner --password-stdin < password.txt"
}

// Run makes an account.
func (c *userAddCmd) Run(s *shell) error {
	var password string
	var has bool
	var err error
	if !c.Invite {
		if password, has, err = c.read(s, c.Login, true); err != nil {
			return err
		}
	}
	body := map[string]any{"login": c.Login}
	if c.Invite {
		body["invited"] = true
	}
	put(body, "level", c.Level)
	put(body, "email", c.Email)
	put(body, "display", c.Display)
	put(body, "password", password)
	if len(c.Groups) > 0 {
		body["groups"] = c.Groups
	}
	if len(c.Protocols) > 0 {
		body["protocols"] = c.Protocols
	}
	if c.UID > 0 {
		body["uid"] = c.UID
	}
	if c.GID > 0 {
		body["gid"] = c.GID
	}
	var u user
	text, err := s.send(http.MethodPost, "/users", nil, body, &u)
	if err != nil {
		return err
	}
	if c.Invite {
		if !s.JSON {
			s.note("Created %s (%s %d, uid %d).", printable(u.User), levelName(u.Level), u.Level, u.UID)
		}
		return s.invite(map[string]any{"user": u.User}, false, "Send this link; it works once, until %s:")
	}
	if s.JSON {
		return s.json(text)
	}
	if !has {
		s.note("No password is set, so only tokens work. Set one with: trivium user passwd %s", printable(u.User))
	}
	return s.say("Created %s (%s %d, uid %d).", u.User, levelName(u.Level), u.Level, u.UID)
}

// put sets a member that says something.
func put(m map[string]any, name, value string) {
	if value != "" {
		m[name] = value
	}
}

type userSetCmd struct {
	Login        string    `arg:"" name:"login" help:"Login, alias or login@domain."`
	Level        *string   `name:"level" placeholder:"LEVEL" help:"By name or number."`
	UID          *uint32   `name:"uid" placeholder:"N" help:"Its uid."`
	GID          *uint32   `name:"gid" placeholder:"N" help:"Its primary gid."`
	Email        *string   `name:"email" placeholder:"ADDRESS" help:"E-mail address."`
	Display      *string   `name:"display" placeholder:"NAME" help:"The name that people see."`
	Lang         *string   `name:"lang" placeholder:"TAG" help:"Language, such as de."`
	TimeZone     *string   `name:"time-zone" placeholder:"ZONE" help:"Time zone, such as Europe/Berlin."`
	Quota        *string   `name:"quota" placeholder:"SIZE" help:"5GB; none for no limit; default for the server's."`
	QuotaFiles   *string   `name:"quota-files" placeholder:"N" help:"Number of files and folders; none for no limit; default for the server's."`
	UploadRate   *string   `name:"upload-rate" placeholder:"SIZE" help:"Bytes a second of all its FTP uploads: 10MB; none for no limit; default for the server's."`
	DownloadRate *string   `name:"download-rate" placeholder:"SIZE" help:"As --upload-rate."`
	Transfers    *string   `name:"transfers" placeholder:"N" help:"FTP transfers at once; none for no limit; default for the server's."`
	Expires      *string   `name:"expires" placeholder:"TIME" help:"2030-01-31, a time with zone (RFC 3339), or never."`
	Protocols    *[]string `name:"protocol" placeholder:"ROAD" help:"The roads it may log in on: ftp, web, xmpp, or all."`
}

// Run changes what is named.
func (c *userSetCmd) Run(s *shell) error {
	body := map[string]any{}
	for name, v := range map[string]*string{"level": c.Level, "email": c.Email, "display": c.Display, "lang": c.Lang, "time_zone": c.TimeZone} {
		if v != nil {
			body[name] = *v
		}
	}
	if c.UID != nil {
		body["uid"] = *c.UID
	}
	if c.GID != nil {
		body["gid"] = *c.GID
	}
	if err := putLimits(body, limitFlag{"quota_files", c.QuotaFiles, "--quota-files"}, limitFlag{"quota_bytes", c.Quota, ""},
		limitFlag{"upload_rate", c.UploadRate, ""}, limitFlag{"download_rate", c.DownloadRate, ""},
		limitFlag{"transfers", c.Transfers, "--transfers"}); err != nil {
		return err
	}
	if c.Expires != nil {
		body["expires_at"] = *c.Expires
		if t, err := time.ParseInLocation(time.DateOnly, *c.Expires, time.Local); err == nil {
			body["expires_at"] = t.Format(time.RFC3339)
		}
	}
	if c.Protocols != nil {
		body["protocols"] = *c.Protocols
		if len(*c.Protocols) == 1 && (*c.Protocols)[0] == "all" {
			body["protocols"] = []string{}
		}
	}
	if len(body) == 0 {
		return usage("user set needs something to change, such as --level or --email")
	}
	var u user
	if shown, err := s.submit(http.MethodPatch, "/users"+at(c.Login), nil, body, &u); shown || err != nil {
		return err
	}
	return s.say("Changed %s (%s %d, uid %d).", u.User, levelName(u.Level), u.Level, u.UID)
}

type userPasswdCmd struct {
	Login  string `arg:"" name:"login" help:"Login, alias or login@domain."`
	Remove bool   `name:"remove" xor:"password" help:"Remove the password, so that only tokens work."`
	Link   bool   `name:"link" xor:"password" help:"Print a link by which the person sets it: once, for a day."`
	QR     bool   `name:"qr" help:"With --link: print it as a QR code too."`

	MustChange   bool `name:"must-change" help:"It has to be changed on the web before anything else. With --no-input and no password: the one that there is."`
	KeepSessions bool `name:"keep-sessions" help:"What was logged in with the old one goes on."`
	passwordFlags
}

// Run sets the password.
func (c *userPasswdCmd) Run(s *shell) error {
	if c.Link {
		return s.invite(map[string]any{"user": c.Login}, c.QR, "Send this link; it sets the password of "+printable(c.Login)+" and works once, until %s:")
	}
	password, done := "", "Removed the password of %s."
	if !c.Remove {
		// A wrong name should not cost two typed passwords.
		if _, err := s.get("/users"+at(c.Login), nil, nil); err != nil {
			return err
		}
		var ok bool
		var err error
		if password, ok, err = c.read(s, c.Login, true); err != nil {
			return err
		}
		if !ok && c.MustChange {
			if _, err := s.call(http.MethodPut, "/users"+at(c.Login, "must-change"), nil, map[string]any{"must_change": true}); err != nil {
				return err
			}
			return s.done(map[string]any{"user": c.Login, "must_change": true}, "%s has to change the password on the web first.", c.Login)
		}
		if !ok {
			return usage("there is no password: give --password-stdin or --password-file")
		}
		done = "Changed the password of %s."
	}
	if _, err := s.call(http.MethodPut, "/users"+at(c.Login, "password"), nil, map[string]any{"password": password,
		"must_change": c.MustChange, "keep_sessions": c.KeepSessions}); err != nil {
		return err
	}
	return s.done(map[string]any{"user": c.Login}, done, c.Login)
}

// done says so, or gives --json an object.
func (s *shell) done(v any, format string, args ...any) error {
	if s.JSON {
		return s.object(v)
	}
	return s.say(format, args...)
}

type userDisableCmd struct {
	Login string `arg:"" name:"login" help:"Login, alias or login@domain."`
}

// Run disables.
func (c *userDisableCmd) Run(s *shell) error {
	return s.userState(c.Login, "disable", "Disabled %s; its sessions have ended.")
}

type userEnableCmd struct {
	Login string `arg:"" name:"login" help:"Login, alias or login@domain."`
}

// Run enables.
func (c *userEnableCmd) Run(s *shell) error { return s.userState(c.Login, "enable", "Enabled %s.") }

func (s *shell) userState(login, verb, format string) error {
	var u user
	if shown, err := s.submit(http.MethodPost, "/users"+at(login, verb), nil, nil, &u); shown || err != nil {
		return err
	}
	return s.say(format, u.User)
}

type userRemoveCmd struct {
	Login  string `arg:"" name:"login" help:"Login or login@domain."`
	DryRun bool   `name:"dry-run" help:"Say what would be done."`
}

// Run removes after a question.
func (c *userRemoveCmd) Run(s *shell) error {
	var u user
	text, err := s.get("/users"+at(c.Login), url.Values{}, &u)
	if err != nil {
		return err
	}
	if c.DryRun {
		if s.JSON {
			return s.json(text)
		}
		return s.say("Would remove %s (uid %d) and end its sessions; its files would stay.", u.User, u.UID)
	}
	if err := s.confirm("Remove "+u.User+" and end its sessions? Its files stay.", u.User+" was not removed"); err != nil {
		return err
	}
	if _, err := s.call(http.MethodDelete, "/users"+at(c.Login), nil, nil); err != nil {
		return err
	}
	if s.JSON {
		return s.json(text)
	}
	return s.say("Removed %s. Its files stay, its login stays reserved.", u.User)
}
