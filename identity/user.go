package identity

import (
	"cmp"
	"time"
)

// UserID is the immutable name of an account: 128 random bits in base32, 26 characters.
// Everything that belongs to a user hangs on it, so an account made anew inherits nothing.
type UserID string

// UserState says whether an account may be used.
type UserState string

// The states of an account.
const (
	UserInvited  UserState = "invited"
	UserActive   UserState = "active"
	UserDisabled UserState = "disabled"
	UserDeleted  UserState = "deleted" // a tombstone: its login stays reserved
)

// Profile is what Node++ keeps of a user beside the account itself.
type Profile struct {
	Email    string `json:"email"`
	Name     string `json:"name"` // display name
	Phone    string `json:"phone"`
	About    string `json:"about"`
	Lang     string `json:"lang"`      // BCP 47, "" = as the client asks
	Formats  string `json:"formats"`   // date and number format, a locale such as "de"; "" = as Lang
	TimeZone string `json:"time_zone"` // IANA name, "" = as the client says
	KeysOff  bool   `json:"keys_off"`  // keys are no shortcuts on the pages
}

// User is an account.
type User struct {
	ID         UserID
	Domain     string
	Login      UserName // PRECIS form, unique with Domain
	UID        uint32   // unique over all domains, from 10000 up, never given twice
	GID        uint32   // of the primary group
	Level      Level
	State      UserState
	Roads      []Road // the roads it may log in on; empty: all
	QuotaBytes int64  // 0: the server's default, -1: no limit
	QuotaFiles int64  // files and folders, as QuotaBytes
	Rates      Rates
	Profile    Profile
	ExpiresAt  time.Time // zero: never
	CreatedAt  time.Time
	LastLogin  time.Time // zero: never

	// CredentialVersion rises with each change that ends what was logged in by the old
	// credential; ChangeSeq is the server-wide sequence of the last change of any kind.
	CredentialVersion int64
	ChangeSeq         int64

	MustChange bool // the password is good for choosing another one, and for nothing else

	// Source names the directory that the account is from and that checks its password, Subject is
	// what it is there, for ever; both "" for an account that is from nowhere. SourceOff says that
	// the directory has disabled it, and no person, so that the directory may enable it again.
	Source, Subject string
	SourceOff       bool
}

// Rates bound an account on the file road, all its sessions there together. 0: the server's
// default, -1: no limit.
type Rates struct {
	Upload, Download int64 // bytes a second
	Transfers        int   // at once
}

// over is r with the server's defaults where it says nothing, and 0 where there is no limit.
func (r Rates) over(def SessionLimits) SessionLimits {
	l := SessionLimits{UploadRate: r.Upload, DownloadRate: r.Download, Transfers: r.Transfers}
	l.UploadRate = cmp.Or(l.UploadRate, def.UploadRate)
	l.DownloadRate = cmp.Or(l.DownloadRate, def.DownloadRate)
	l.Transfers = cmp.Or(l.Transfers, def.Transfers)
	return SessionLimits{max(l.UploadRate, 0), max(l.DownloadRate, 0), max(l.Transfers, 0)}
}

// Group is a named gid; groups are flat.
type Group struct {
	GID       uint32
	Domain    string
	Name      UserName
	CreatedAt time.Time
	ChangeSeq int64

	QuotaBytes int64 // of its folder; 0: the server's default, less: none
	QuotaFiles int64 // files and folders, likewise

	NoFolder bool // it has no folder below /groups
	NoRoster bool // its members are not in each other's rosters
	Room     bool // it has a chat room, when rooms are on

	// What an account gets that is made as a member of the group: the first group that says anything
	// counts. LevelNone and 0: the server's defaults.
	MemberLevel Level
	MemberBytes int64
	MemberFiles int64
}

// GroupChange is what SetGroup changes; nil leaves a field as it is.
type GroupChange struct {
	Name       *string
	GID        *uint32
	QuotaBytes *int64
	QuotaFiles *int64

	Folder, Roster, Room     *bool
	MemberLevel              *Level
	MemberBytes, MemberFiles *int64
}

// Member is a user in a group that is not the user's primary one.
type Member struct {
	User    UserID
	Login   UserName
	Manager bool // may change the group's members
}

// Alias is a further login name of an account; the bound JID and the home are the target's.
type Alias struct {
	Domain string
	Name   UserName
	Target UserID
	Login  UserName // of the target
}

// Account is everything a log-in needs of a user, read in one query.
type Account struct {
	User
	Group    Group   // primary
	Groups   []Group // supplementary, by name
	Password Record  // sealed; zero: no password is set
	Factors  FactorSet
}
