package identity

import (
	"time"
)

// AnonymousID is the uid and gid of anonymous sessions.
const AnonymousID = 65534

// IdentUnknown is ident_user when RFC 1413 look-ups are off or failed.
const IdentUnknown = "UNKNOWN"

// Credentials are the identity of a session, as ProFTPD's session.* defines them. They exist
// only as the result of a successful Login.
type Credentials struct {
	UserID UserID // "" for anonymous
	Login  UserName
	Domain string

	// User is the authenticated name after alias: the bare login for the default domain, else
	// login@domain; "" for anonymous. OrigUser is what the client sent. AnonUser is set for
	// anonymous log-ins alone: the e-mail given as password, or the original USER where the
	// anonymous account requires a password.
	User, OrigUser, AnonUser string

	UID       uint32
	GID       uint32
	Group     string   // name of the primary group
	GIDs      []uint32 // supplementary
	Groups    []string // supplementary, same order
	NoFolders []string // those of Group and Groups that have no folder
	Class     string

	Level      Level
	Profile    Profile
	QuotaBytes int64 // as User.QuotaBytes
	QuotaFiles int64
	Rates      Rates // as User.Rates

	Grant *Grant // what a token narrowed; nil: logged in with the account's own credential

	MustChange        bool // a new password has to be chosen before anything else; of the web alone
	CredentialVersion int64
	LoginAt           time.Time
}

// Anonymous reports whether nobody in particular is meant.
func (c Credentials) Anonymous() bool { return c.UserID == "" }

// BareJID is login@domain; "" for anonymous.
func (c Credentials) BareJID() string {
	if c.UserID == "" {
		return ""
	}
	return string(c.Login) + "@" + c.Domain
}

// In reports whether gid is the primary or a supplementary group.
func (c Credentials) In(gid uint32) bool {
	if c.GID == gid {
		return true
	}
	for _, g := range c.GIDs {
		if g == gid {
			return true
		}
	}
	return false
}

// MayRead and MayWrite say whether the grant lets files be read or written at all; permission
// bits and levels come after it.
func (c Credentials) MayRead() bool { return c.Grant == nil || c.Grant.Files != FilesNone }

// MayWrite is MayRead for changes.
func (c Credentials) MayWrite() bool { return c.Grant == nil || c.Grant.Files == FilesWrite }

// FileScope is how far a token opens the file tree.
type FileScope uint8

// The scopes of a token on files. A token that names none of files:read and files:write has
// FilesWrite on the roads that it opens.
const (
	FilesNone FileScope = iota
	FilesRead
	FilesWrite
)

// Grant is what a valid token gives: never more than its owner has.
type Grant struct {
	TokenID string
	User    UserID
	JID     string // the owner as the wire form says; Login refuses one that is not the account's
	Roads   []Road // web stands for WebDAV too
	API     bool   // scope api
	Admin   bool   // without it the level is capped at LevelCustomer

	// Introspect lets the token of an administrator ask who sessions and tokens are (RFC 7662).
	Introspect bool
	Files      FileScope
	Path       string    // canonical path that bounds the file tree; "" = no bound
	ExpiresAt  time.Time // zero: never

	// Passing says that the token tries a road for a moment: who logs in by it is no new device.
	Passing bool

	Label string // what the owner calls the token
	Fresh bool   // nobody has used it until now

	pass *[32]byte // of a pass: the hash of its text; nil: a token
}

// TokenKey is one token's SCRAM-SHA-256 keys, made with the account's own salt and iterations.
type TokenKey struct {
	Grant     Grant
	StoredKey []byte
	ServerKey []byte
}
