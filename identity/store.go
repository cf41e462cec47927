package identity

import (
	"context"
	"time"
)

// Store is what identity needs of a database. storetest is its contract: every implementation
// passes it. Reads see what has been committed; ErrNotFound where there is nothing.
type Store interface {
	StoreReader
	// Write runs fn in one transaction that is durable when Write returns nil; an error of fn
	// undoes all that it did. fn must not call Write.
	Write(ctx context.Context, fn func(StoreWriter) error) error
}

// StoreReader is the reading half, inside and outside of a transaction.
type StoreReader interface {
	// Account reads a user by login or alias, with groups and password record, in one query.
	// Users that are UserDeleted are not found.
	Account(ctx context.Context, domain string, name UserName) (Account, error)
	AccountByID(ctx context.Context, id UserID) (Account, error)
	AccountByUID(ctx context.Context, uid uint32) (Account, error)
	// Accounts lists by login. f.Group is a name, or name@domain for that domain alone.
	Accounts(ctx context.Context, f UserFilter) ([]Account, error)
	// AccountBySubject reads the account that somebody of a directory has here, a tombstone too.
	AccountBySubject(ctx context.Context, source, subject string) (Account, error)
	// CountAccounts is how many Accounts would list without a bound; f.Limit is where it may stop to
	// count, for a text that many have costs what it counts.
	CountAccounts(ctx context.Context, f UserFilter) (int, error)
	// AccountsChanged returns the accounts, tombstones too, whose ChangeSeq is above seq, in that order,
	// at most limit; AccountsRemoved returns the tombstones among them alone.
	AccountsChanged(ctx context.Context, seq int64, limit int) ([]Account, error)
	AccountsRemoved(ctx context.Context, seq int64, limit int) ([]Account, error)
	// ChangeSeq is the highest sequence given out, 0 in an empty store.
	ChangeSeq(ctx context.Context) (int64, error)

	Group(ctx context.Context, domain string, name UserName) (GroupInfo, error)
	GroupByGID(ctx context.Context, gid uint32) (GroupInfo, error)
	// GroupBrief and GroupBriefByGID are Group and GroupByGID with the managers alone among the members,
	// who may be many, and with one of the primary users where there are some; GroupMember is one of the
	// members, and GroupUsers are all who have the group, as the primary one or another.
	GroupBrief(ctx context.Context, domain string, name UserName) (GroupInfo, error)
	GroupBriefByGID(ctx context.Context, gid uint32) (GroupInfo, error)
	GroupMember(ctx context.Context, gid uint32, user UserID) (Member, error)
	GroupUsers(ctx context.Context, gid uint32) ([]UserID, error)
	// GroupRow and GroupRowByGID are Group and GroupByGID without anybody.
	GroupRow(ctx context.Context, domain string, name UserName) (Group, error)
	GroupRowByGID(ctx context.Context, gid uint32) (Group, error)
	Groups(ctx context.Context, domain string) ([]GroupInfo, error) // domain "": all
	Aliases(ctx context.Context, domain string) ([]Alias, error)

	// UIDTaken reports whether an account, tombstones included, has a uid.
	UIDTaken(ctx context.Context, uid uint32) (bool, error)
	Link(ctx context.Context, issuer, subject string) (Link, error)
	Links(ctx context.Context, user UserID) ([]Link, error) // by source

	// NameTaken reports whether a login, tombstones included, an alias or a group has the name.
	NameTaken(ctx context.Context, domain string, name UserName) (login, alias, group bool, err error)

	// AccountsByEmail lists those of an e-mail address, in any case of its ASCII letters.
	AccountsByEmail(ctx context.Context, email string, limit int) ([]Account, error)

	Invitation(ctx context.Context, id string) (Invitation, error)
	Invitations(ctx context.Context, f InviteFilter) ([]Invitation, error) // the newest first
	InviteUses(ctx context.Context, id string) ([]InviteUse, error)        // the newest first

	// Devices lists those of an account, the last used first.
	Devices(ctx context.Context, user UserID) ([]Device, error)
	// DeviceKnown reports whether the account of a login or alias has the device whose Near is
	// given, used since the time given.
	DeviceKnown(ctx context.Context, domain string, name UserName, near []byte, since time.Time) (bool, error)
	// PolicyRules reads the rules of the policy, each with the names of whom it is narrowed to as they
	// are now, and the ChangeSeq of their last change, 0 where there never was one. RulesVersion is
	// that number alone.
	PolicyRules(ctx context.Context) (version int64, rules []StoredRule, err error)
	RulesVersion(ctx context.Context) (int64, error)

	BrowserSessions(ctx context.Context) ([]BrowserRow, error)
	// Audit reads the log, newest first, or oldest first where f follows it.
	Audit(ctx context.Context, f AuditFilter) ([]AuditEvent, error)
	AuditEvents(ctx context.Context) ([]string, error) // the names that there are, each once
	// AuditRows reads rows whose ID is from at least, by ID, at most limit.
	AuditRows(ctx context.Context, from int64, limit int) ([]AuditRow, error)
	AuditHead(ctx context.Context) (AuditHead, error)
	// AuditGap reads the removed rows that the ID is among.
	AuditGap(ctx context.Context, id int64) (AuditGap, error)
	// AuditExpired returns IDs of rows older than before, at most limit; events "": all events.
	AuditExpired(ctx context.Context, before time.Time, event string, limit int) ([]int64, error)
	// BansChanged lists those whose Seq is above seq in that order, the lifted ones among them.
	BansChanged(ctx context.Context, seq int64) ([]Ban, error)
	// BanSeq is the highest sequence of bans given out; what is allowed raises it too.
	BanSeq(ctx context.Context) (int64, error)
	BanAllows(ctx context.Context) ([]BanAllow, error) // by prefix
	// Factors lists those of an account, the oldest first.
	Factors(ctx context.Context, user UserID) ([]FactorRow, error)
	// FactorByCredential reads the passkey of a credential ID.
	FactorByCredential(ctx context.Context, credential string) (FactorRow, error)
	Application(ctx context.Context, id string) (Application, error)
	Applications(ctx context.Context) ([]Application, error)                      // by name
	ApplicationUseCounts(ctx context.Context) (map[string]int, error)             // by application
	ApplicationUsers(ctx context.Context, user UserID) ([]ApplicationUser, error) // by application
	ApplicationUser(ctx context.Context, application string, user UserID) (ApplicationUser, error)
	ApplicationGrant(ctx context.Context, id string) (ApplicationGrant, error)
	ApplicationGrants(ctx context.Context, f GrantFilter) ([]ApplicationGrant, error) // the oldest first
	ApplicationKeys(ctx context.Context) ([]SealedKey, error)                         // the oldest first
	// Certificates lists those of an account by label; Certificate reads one by its fingerprint, and
	// CertificateOwners says which accounts have it, by ID, at most limit.
	Certificates(ctx context.Context, user UserID) ([]CertificateRow, error)
	Certificate(ctx context.Context, user UserID, fingerprint string) (CertificateRow, error)
	CertificateOwners(ctx context.Context, fingerprint string, limit int) ([]UserID, error)
	// Once reads a request that came with a key; CountOnce is how many one asker has.
	Once(ctx context.Context, asker, key string) (Once, error)
	CountOnce(ctx context.Context, asker string) (int, error)
	// Notifications lists those of an account, the newest first, with IDs below before where that is not
	// 0; UnseenNotifications counts those that are not seen. NoticeChoices is what the person has chosen.
	Notifications(ctx context.Context, user UserID, before int64, limit int) ([]Notification, error)
	UnseenNotifications(ctx context.Context, user UserID) (int, error)
	NoticeChoices(ctx context.Context, user UserID) (map[NoticeKind]NoticeWays, error)
	// Announcements lists all, the one that begins first first; Announced are the IDs of those that an
	// account was told at a place.
	Announcements(ctx context.Context) ([]Announcement, error)
	Announced(ctx context.Context, owner UserID, p Place) ([]string, error)
	// Setting reads a small named value, such as the set-up code.
	Setting(ctx context.Context, name string) (string, error)
	// Choices lists what people have set in the running server, by key; Choice reads one value. Their
	// keys are apart from the names of Setting.
	Choices(ctx context.Context) ([]Setting, error)
	Choice(ctx context.Context, key string) (string, error)
}

// StoreWriter is a transaction.
type StoreWriter interface {
	StoreReader
	// NextID raises the high-water mark of uid and gid (one space) and returns it: never below
	// floor, never a number that was given before, even where that user or group is gone.
	// Numbers chosen by hand raise the mark as well where they are above it (PutUser, PutGroup).
	NextID(ctx context.Context, floor uint32) (uint32, error)
	// PutUser inserts or replaces by ID, groups and password record excepted, and gives the row
	// the next ChangeSeq, which it returns. A login or uid that is taken is ErrExists.
	PutUser(ctx context.Context, u User) (int64, error)
	PutPassword(ctx context.Context, id UserID, r Record) error
	PutLastLogin(ctx context.Context, id UserID, at time.Time) error // no new ChangeSeq
	// Touch gives users the next ChangeSeq without another change (a group of theirs changed).
	Touch(ctx context.Context, ids ...UserID) error

	PutGroup(ctx context.Context, old uint32, g Group) error // old: its gid until now, 0 for a new one
	RemoveGroup(ctx context.Context, gid uint32) error
	PutMember(ctx context.Context, gid uint32, user UserID, manager bool) error
	RemoveMember(ctx context.Context, gid uint32, user UserID) error
	PutAlias(ctx context.Context, a Alias) error
	RemoveAlias(ctx context.Context, domain string, name UserName) error

	PutInvitation(ctx context.Context, i Invitation) error // a new one; ErrExists where its ID is taken
	// UseInvitation counts and notes a use; ErrNotFound where there is none of that ID, it is
	// revoked, or has no use left. Two at the same time never have the same use.
	UseInvitation(ctx context.Context, u InviteUse) error
	RevokeInvitation(ctx context.Context, id string, at time.Time) error
	// RevokeInvitations revokes those that set the password of an account and are not revoked yet.
	RevokeInvitations(ctx context.Context, user UserID, at time.Time) error
	// ForgetInvitations removes those that expired, or were revoked, before a time.
	ForgetInvitations(ctx context.Context, before time.Time) error

	PutDevice(ctx context.Context, d Device) error // by User and Near; FirstSeen stays
	RemoveDevices(ctx context.Context, user UserID, near ...[]byte) error
	// ForgetDevices removes those that were last used before a time, but of each account the one
	// that was used last.
	ForgetDevices(ctx context.Context, before time.Time) error

	// PutLink inserts or replaces by issuer and subject; ErrExists where another account has them.
	PutLink(ctx context.Context, l Link) error
	RemoveLink(ctx context.Context, issuer, subject string) error
	// AddFactor adds a new one and gives its account the next ChangeSeq. A credential that is there
	// already, of whichever account, is ErrExists.
	AddFactor(ctx context.Context, f FactorRow) error
	// ChangeFactor replaces label, secret, counter, failures and last use, where counter and failures
	// are still those of was; else ErrNotFound. No new ChangeSeq.
	ChangeFactor(ctx context.Context, was, now FactorRow) error
	// RemoveFactors removes those of an account that have these IDs, and gives it the next ChangeSeq.
	RemoveFactors(ctx context.Context, user UserID, ids ...string) error
	// AddCertificate adds one and gives its account the next ChangeSeq; ErrExists where the account has
	// it, or another of that label. UseCertificate notes its last use, without a new ChangeSeq.
	AddCertificate(ctx context.Context, c CertificateRow) error
	UseCertificate(ctx context.Context, c CertificateRow) error
	// RemoveCertificates removes those of an account that have these fingerprints, and gives it the next
	// ChangeSeq.
	RemoveCertificates(ctx context.Context, user UserID, fingerprints ...string) error
	// PutRule inserts or replaces by Resource, User, GID and Class; RemoveRule removes that one, or is
	// ErrNotFound. Rules go with their group by RemoveGroup, and follow it to another gid;
	// RemoveRulesOf takes those of a user, and returns how many.
	PutRule(ctx context.Context, r StoredRule) error
	RemoveRule(ctx context.Context, r StoredRule) error
	RemoveRulesOf(ctx context.Context, id UserID) (int, error)
	// TouchRules gives the rules the next ChangeSeq; writers of rules wait for one another from then on.
	TouchRules(ctx context.Context) error
	// TouchServer takes the next ChangeSeq for what no account has: maintenance, announcements.
	TouchServer(ctx context.Context) error

	PutBrowserSession(ctx context.Context, r BrowserRow) error // by ID
	RemoveBrowserSessions(ctx context.Context, ids ...string) error
	// LockAuditHead is AuditHead for whoever appends: nobody else, in whichever process, gets it
	// before the transaction has ended.
	LockAuditHead(ctx context.Context) (AuditHead, error)
	// AppendAudit writes rows, with the IDs that they have, and the head that they lead to.
	AppendAudit(ctx context.Context, head AuditHead, rows ...AuditRow) error
	// PutAuditGap removes the rows in a gap, and the gaps in it, and keeps it. That is the only way in
	// which rows go; none ever changes.
	PutAuditGap(ctx context.Context, g AuditGap) error
	PutApplication(ctx context.Context, a Application) error         // by ID
	RemoveApplication(ctx context.Context, id string) error          // and all that it was granted
	PutApplicationUser(ctx context.Context, u ApplicationUser) error // by both; FirstAt stays
	RemoveApplicationUser(ctx context.Context, application string, user UserID) error
	AddApplicationGrant(ctx context.Context, g ApplicationGrant) error
	// AdvanceApplicationGrant raises the generation of a grant by one; ErrNotFound where it is not at
	// that generation any more, or gone.
	AdvanceApplicationGrant(ctx context.Context, id string, generation int64, used, expires time.Time) error
	DetachApplicationGrant(ctx context.Context, id string) error // from its session
	// RemoveApplicationGrants returns those that were there.
	RemoveApplicationGrants(ctx context.Context, ids ...string) ([]string, error)
	AddApplicationKey(ctx context.Context, k SealedKey) error
	RemoveApplicationKeys(ctx context.Context, ids ...string) error
	PutBan(ctx context.Context, b Ban) error // by Prefix, with the next sequence
	// ForgetBans removes those that ended or were lifted before a time.
	ForgetBans(ctx context.Context, before time.Time) error
	PutBanAllow(ctx context.Context, a BanAllow) error       // by Prefix; the sequence of bans goes on
	RemoveBanAllow(ctx context.Context, prefix string) error // likewise
	AddOnce(ctx context.Context, o Once) error               // ErrExists where the asker has the key already
	AnswerOnce(ctx context.Context, asker, key string, answer []byte) error
	RemoveOnce(ctx context.Context, asker, key string) error
	ForgetOnce(ctx context.Context, before time.Time) error // those that came before a time
	// AddNotification gives one the next ID of its account, not seen, and keeps the newest keep alone.
	AddNotification(ctx context.Context, n Notification, keep int) error
	SeeNotifications(ctx context.Context, user UserID, ids ...int64) error // no ID: all
	PutNoticeChoice(ctx context.Context, user UserID, kind NoticeKind, ways NoticeWays) error
	ForgetNotifications(ctx context.Context, before time.Time) error // those of before a time
	RemoveNotificationsOf(ctx context.Context, user UserID) error    // and what was chosen
	PutSetting(ctx context.Context, name, value string) error        // "" removes
	PutChoice(ctx context.Context, c Setting) error                  // by Key; "" is a value
	RemoveChoice(ctx context.Context, key string) error              // ErrNotFound where there is none
	// PutAnnouncement inserts by ID, or replaces texts and end. NoteAnnounced returns the accounts of whom it
	// was not noted; ForgetAnnouncements removes those that were over before a time, and who was told.
	PutAnnouncement(ctx context.Context, a Announcement) error
	NoteAnnounced(ctx context.Context, id string, p Place, owners ...UserID) (fresh []UserID, err error)
	ForgetAnnouncements(ctx context.Context, before time.Time) error
}

// Record is a password record, sealed with the server's key: to the store it is bytes. Salt and
// iterations of SCRAM lie inside.
type Record struct {
	Sealed []byte
}

// BrowserRow is a browser session as it is stored.
type BrowserRow struct {
	ID                                           string
	Selector                                     string
	SecretHash                                   []byte // SHA-256
	User                                         UserID
	OrigUser                                     string
	Method                                       Method
	CredentialVersion                            int64
	CSRF                                         string
	Stay                                         bool // the cookie outlives the browser
	Remote, Local, TLS, UserAgent, Referer, Lang string
	StartedAt, LoginAt, LastActivity             time.Time
	TZOffset                                     int // minutes east of UTC
	TZSet                                        bool
	Factor                                       FactorKind // by which second factor; "": none
	Certificate                                  string     // fingerprint of that by which it logged in; "": none
	CertificateVouched                           bool       // an authority vouches for it
	CertificateUntil                             time.Time
	Data                                         []byte // application data of our own packages, JSON by key; small
}

// Ban is an address prefix that may not connect.
type Ban struct {
	Prefix string    `json:"prefix"`
	Kind   BanKind   `json:"kind"`
	Reason string    `json:"reason"`
	Actor  string    `json:"actor"` // who banned it; "" for the rule
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"` // zero: it was lifted
	Count  int       `json:"count"` // how many bans this prefix has had; each is longer
	Hits   int64     `json:"hits"`  // that it has turned away on this node since the start; not stored
	Seq    int64     `json:"-"`     // in the order of the changes of bans; the store gives it
}

// BanKind says who wanted a ban, and how far it goes.
type BanKind string

// The kinds. Tokens pass BanGuessing, and known devices too pass BanWidened; nobody passes BanManual.
const (
	BanGuessing BanKind = "guessing" // too many wrong log-ins from the prefix
	BanWidened  BanKind = "widened"  // too many banned prefixes within it
	BanManual   BanKind = "manual"   // somebody has set it
)

// BanAllow is an address prefix that is never banned.
type BanAllow struct {
	Prefix string    `json:"prefix"`
	Reason string    `json:"reason"`
	Actor  string    `json:"actor"`
	Since  time.Time `json:"since"`
}
