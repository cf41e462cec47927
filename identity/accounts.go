package identity

import (
	"context"
	"time"
)

// Actor is who changes something and by which way, for rights and the audit record. Nobody
// changes an account whose level is not below their own; LevelRoot excepted.
type Actor struct {
	User   string // "" for the machine's owner on the control socket
	Level  Level
	Via    string // "web", "cli", "api", "xmpp", "setup"
	Remote string
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
}

// UserChange changes what is not nil.
type UserChange struct {
	Level      *Level
	State      *UserState // active or disabled
	UID, GID   *uint32
	Profile    *Profile
	Roads      *[]Road
	QuotaBytes *int64
	QuotaFiles *int64
	ExpiresAt  *time.Time
}

// UserFilter chooses accounts; zero fields choose all that are not deleted.
type UserFilter struct {
	Text   string // part of login, name or e-mail
	Level  *Level
	Group  string
	State  UserState
	Limit  int // 0: 1,000
	Offset int
}

// The operations on accounts. name is `login` or `login@domain`; each is durable when it
// returns, and its effect on live sessions has happened: refreshed, downgraded or ended.

// AddUser makes an account, with a group of its own of the same name and number.
func (s *Service) AddUser(ctx context.Context, by Actor, n NewUser) (Account, error) {
	return s.addUser(ctx, by, n)
}

// User reads an account; an alias gives its target.
func (s *Service) User(ctx context.Context, name string) (Account, error) { return s.user(ctx, name) }

// UserByID reads an account by ID.
func (s *Service) UserByID(ctx context.Context, id UserID) (Account, error) {
	return s.userByID(ctx, id)
}

// Users lists accounts by login.
func (s *Service) Users(ctx context.Context, f UserFilter) ([]Account, error) { return s.users(ctx, f) }

// SetUser changes an account.
func (s *Service) SetUser(ctx context.Context, by Actor, name string, c UserChange) (Account, error) {
	return s.setUser(ctx, by, name, c)
}

// SetPassword sets or (zero secret) removes the password; other sessions of the account that
// logged in by password end, except keep.
func (s *Service) SetPassword(ctx context.Context, by Actor, name string, password Secret, keep *Session) error {
	return s.setPassword(ctx, by, name, password, keep)
}

// CheckPassword verifies a person's own password again, through throttle and gate.
func (s *Service) CheckPassword(ctx context.Context, ses *Session, password Secret) error {
	return s.checkPassword(ctx, ses, password)
}

// RemoveUser makes an account a tombstone: its login stays reserved, its files stay.
func (s *Service) RemoveUser(ctx context.Context, by Actor, name string) error {
	return s.removeUser(ctx, by, name)
}

// AddGroup makes a group; gid 0 takes the next free one.
func (s *Service) AddGroup(ctx context.Context, by Actor, name string, gid uint32) (Group, error) {
	return s.addGroup(ctx, by, name, gid)
}

// GroupInfo is a group with its members.
type GroupInfo struct {
	Group
	Members []Member   // supplementary members, by login
	Primary []UserName // whose primary group it is
}

// Group reads a group.
func (s *Service) Group(ctx context.Context, name string) (GroupInfo, error) {
	return s.group(ctx, name)
}

// Groups lists groups by name.
func (s *Service) Groups(ctx context.Context) ([]GroupInfo, error) { return s.groups(ctx) }

// SetGroup renames a group or changes its gid; nil leaves as it is.
func (s *Service) SetGroup(ctx context.Context, by Actor, name string, newName *string, gid *uint32) (Group, error) {
	return s.setGroup(ctx, by, name, newName, gid)
}

// RemoveGroup removes a group that is nobody's primary one.
func (s *Service) RemoveGroup(ctx context.Context, by Actor, name string) error {
	return s.removeGroup(ctx, by, name)
}

// AddMembers and RemoveMembers change who is in a group.
func (s *Service) AddMembers(ctx context.Context, by Actor, group string, users []string, manager bool) error {
	return s.addMembers(ctx, by, group, users, manager)
}

// RemoveMembers: see AddMembers.
func (s *Service) RemoveMembers(ctx context.Context, by Actor, group string, users []string) error {
	return s.removeMembers(ctx, by, group, users)
}

// AddAlias gives an account a further login name.
func (s *Service) AddAlias(ctx context.Context, by Actor, alias, user string) (Alias, error) {
	return s.addAlias(ctx, by, alias, user)
}

// Aliases lists aliases by name.
func (s *Service) Aliases(ctx context.Context) ([]Alias, error) { return s.aliases(ctx) }

// RemoveAlias removes an alias.
func (s *Service) RemoveAlias(ctx context.Context, by Actor, alias string) error {
	return s.removeAlias(ctx, by, alias)
}

// HasAdministrator reports whether an active account of LevelAdmin or above exists.
func (s *Service) HasAdministrator(ctx context.Context) (bool, error) { return s.hasAdministrator(ctx) }

// SetupCode returns the code of the set-up link, made once and kept until an administrator
// exists; ErrNotFound after that.
func (s *Service) SetupCode(ctx context.Context) (string, error) { return s.setupCode(ctx) }

// Setup makes the first administrator (LevelRoot) with the code of the set-up link. The code
// works once, even for two at the same time; a wrong or used one is ErrNotFound.
func (s *Service) Setup(ctx context.Context, code string, n NewUser) (Account, error) {
	return s.setup(ctx, code, n)
}

// TokensChanged tells identity that a token was revoked or narrowed: sessions that hold it end.
func (s *Service) TokensChanged(ctx context.Context, ids ...string) { s.tokensChanged(ctx, ids...) }

// AuditEvent is one row of the audit log: a log-in attempt or a change.
type AuditEvent struct {
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
	Detail   string    `json:"detail"` // before and after, no secret
}

// AuditFilter chooses rows; zero fields choose all.
type AuditFilter struct {
	Since   time.Time
	Event   string // exact, or a prefix that ends in ".*"
	Subject string
	Actor   string
	Limit   int // 0: 200, the newest
}

// Record appends to the audit log; roads and packages above use it for changes of their own.
func (s *Service) Record(ctx context.Context, e AuditEvent) error { return s.record(ctx, e) }

// Audit reads the log, newest first.
func (s *Service) Audit(ctx context.Context, f AuditFilter) ([]AuditEvent, error) {
	return s.audit(ctx, f)
}

// SCRAMParameters returns the salt and iterations of the account's SCRAM-SHA-256 keys, which its
// tokens share; an account without a password gets a salt of its own that a later password
// keeps. ErrNotFound under a policy that has no SCRAM.
func (s *Service) SCRAMParameters(ctx context.Context, id UserID) (salt []byte, iterations int, err error) {
	return s.scramParameters(ctx, id)
}
