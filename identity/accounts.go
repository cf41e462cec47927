package identity

import (
	"time"
)

// Actor is who changes something and by which way, for rights and the audit record. Nobody
// changes an account whose level is not below their own; LevelRoot excepted.
type Actor struct {
	User   string // "" for the machine's owner on the control socket
	Level  Level
	Via    string // "web", "cli", "api", "xmpp", "setup"
	Remote string

	only *Condition // see Provided
}

// NewUser is what AddUser needs; zero fields take defaults.
type NewUser struct {
	Login    string // may be login@domain
	Level    Level  // 0: the default level
	Password Secret // zero: none is set, so only tokens work
	Groups   []string
	UID, GID uint32 // 0: the next free ones
	Profile  Profile
	Roads    []Road
	Invited  bool // the person sets the password first, by an invitation
}

// UserChange changes what is not nil.
type UserChange struct {
	Level                    *Level
	State                    *UserState // active or disabled
	UID, GID                 *uint32
	Profile                  *Profile
	Roads                    *[]Road
	QuotaBytes               *int64
	QuotaFiles               *int64
	UploadRate, DownloadRate *int64 // as Rates
	Transfers                *int
	ExpiresAt                *time.Time
}

// UserFilter chooses accounts; zero fields choose all that are not deleted.
type UserFilter struct {
	Text   string // part of login, name or e-mail
	Level  *Level
	Group  string
	State  UserState
	Source string // the name of a directory
	Factor *bool  // whether it has a second factor

	SeenSince time.Time // the last log-in is not older

	// Where the list goes on: the accounts that come after one, or those that come right before one.
	// That costs the same on each page; an Offset costs what it leaves out.
	After, Before UserPlace
	Limit         int // 0: 1,000; of CountAccounts: no bound
	Offset        int
}

// UserPlace is where an account stands in a list; zero: nowhere.
type UserPlace struct {
	Login  UserName
	Domain string
}

// Place is where the user stands in a list.
func (u User) Place() UserPlace { return UserPlace{u.Login, u.Domain} }

// AuditEvent is one row of the audit log: a log-in attempt or a change.
type AuditEvent struct {
	ID       int64     `json:"id"` // given by the log, one by one, in the order of the commits
	Time     time.Time `json:"time"`
	Event    string    `json:"event"` // login.ok login.fail login.throttled logout session.end user.add user.set level.set …
	Actor    string    `json:"actor"`
	Via      string    `json:"via"`
	Subject  string    `json:"subject"`
	Protocol Protocol  `json:"protocol"`
	Method   Method    `json:"method"`
	Remote   string    `json:"remote"`
	Session  string    `json:"session"`
	Result   string    `json:"result"` // "ok" or why not
	Detail   string    `json:"detail"` // in words
	// What changed, by name of the field, as two objects of JSON; "" where there is nothing to say.
	// Never a secret.
	Before string `json:"before"`
	After  string `json:"after"`
}
