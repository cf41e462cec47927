package identity

import (
	"context"
	"time"
)

// Source is a directory of people elsewhere. Its methods end soon after their context, and are safe
// for any goroutine. An error that wraps none of identity's says that the directory cannot be asked.
type Source interface {
	// Check returns who somebody is that shows a password. ErrCredentials where name or password is
	// wrong, the same for both; a password without text is always wrong.
	Check(ctx context.Context, login UserName, password Secret) (Person, error)
	// Find returns who has a login; ErrNotFound where nobody has. errors.ErrUnsupported where that
	// cannot be known without a password.
	Find(ctx context.Context, login UserName) (Person, error)
	// People calls fn for everybody there is, in any order, and ends with its error.
	// errors.ErrUnsupported where that cannot be known.
	People(ctx context.Context, fn func(Person) error) error
	// Probe reports whether the directory can be asked, and what is wrong where it cannot.
	Probe(ctx context.Context) error
}

// Person is what a directory or a provider knows of somebody. Nothing in it has been checked.
type Person struct {
	Subject  string // stays the same when somebody is renamed, and is nobody else's ever
	Login    string
	Email    string
	Name     string // display name
	Phone    string
	UID      uint32   // 0: none
	GID      uint32   // of the primary group, 0: none
	Group    string   // the name of the group with that number; "": there is none
	Groups   []string // as they are called there
	Disabled bool
}

// Intake says what account somebody from elsewhere has here.
type Intake struct {
	Create      bool             // accounts are made of themselves
	Domain      string           // of the accounts; "" is the default domain
	Level       Level            // of new accounts; 0: Options.DefaultLevel
	Groups      []string         // that new accounts are in
	Levels      map[string]Level // by the name of a group there: who is in it holds the level
	Memberships map[string][]string
	// Memberships are, by the name of a group there, the groups here that its members are in.
}

// Directory is a Source, and how it is used.
type Directory struct {
	Name   string // what accounts, pages and commands call it
	Kind   string // "ldap", "hook"
	Where  string // its address, to be shown
	Source Source
	Intake Intake

	Timeout time.Duration // of one question; 0: 3 s
	Checks  int           // questions at once; 0: 8
	Waiting int           // log-ins that wait for a turn; 0: none
	Cache   time.Duration // how long a right password is not asked about again, 10 min at most; 0: not at all
	Sync    time.Duration // how often everybody is read; 0: when told to
}

// Defaults of a Directory.
const (
	sourceTimeout = 3 * time.Second
	sourceChecks  = 8
)

// DirectoryState is what is known of a directory now.
type DirectoryState struct {
	Name     string      `json:"name"`
	Kind     string      `json:"kind"`
	Address  string      `json:"address"`
	Domain   string      `json:"domain"`
	Create   bool        `json:"create"`
	Accounts int         `json:"accounts"` // that are from it
	Gone     bool        `json:"gone"`     // it did not answer lately, and is left alone for a moment
	Fault    string      `json:"fault"`    // what was wrong when it was asked last; "": nothing
	LastSync *SyncReport `json:"last_sync"`
}

// SyncReport is what a sync has done.
type SyncReport struct {
	Source   string    `json:"source"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	People   int       `json:"people"` // that the directory has listed
	Created  int       `json:"created"`
	Changed  int       `json:"changed"`
	Disabled int       `json:"disabled"` // they are gone there, or disabled
	Enabled  int       `json:"enabled"`
	Skipped  int       `json:"skipped"` // see Notes
	Notes    []string  `json:"notes"`   // why, the first hundred
	Fault    string    `json:"fault"`   // why it ended before its time; "": it did not
}

// maxNotes bounds SyncReport.Notes.
const maxNotes = 100
