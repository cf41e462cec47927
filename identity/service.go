package identity

import (
	"context"
	"log/slog"
	"time"
)

// TokenVerifier is what identity needs of tokens.
type TokenVerifier interface {
	// VerifyToken checks the wire form of a token that came from remote (a host address). Not a
	// token, unknown, forged, expired or from elsewhere: ErrCredentials, at the same cost.
	VerifyToken(ctx context.Context, text Secret, remote string) (Grant, error)
	// IsToken reports whether text has the form of a token, without looking it up.
	IsToken(text Secret) bool
	// TokenKeys returns the SCRAM keys of the user's valid tokens of scope xmpp, at most 50.
	TokenKeys(ctx context.Context, user UserID, remote string) ([]TokenKey, error)
	// TokenValid re-reads a token by ID: nil error while it is valid.
	TokenValid(ctx context.Context, id string) error
	// TokenUsed notes the last use; it may be written behind.
	TokenUsed(ctx context.Context, id string, at time.Time, ses *Session)
}

// Limits are the numbers of config that identity keeps; 0 means no limit where nothing else is
// said.
type Limits struct {
	ConnectionsPerAddress     int
	UnauthenticatedPerAddress int
	Unauthenticated           int // whole server; the oldest is ended first
	Sessions                  int // whole server
	SessionsPerUser           map[Road]int
	BanAfter                  int // wrong log-ins per address prefix (/32, /64); 0: never
	BanWindow                 time.Duration
	BanFor                    time.Duration // the first; each further one is longer
}

// Options is what New needs.
type Options struct {
	Store           Store
	Tokens          TokenVerifier // nil: no tokens
	Log             *slog.Logger
	Node            string   // begins each session ID; "" for a single node is "1"
	Domain          string   // the default domain
	Domains         []string // further ones
	Classes         []Class
	Policy          map[string]string // resource pattern → level, from config
	Limits          Limits
	UIDMin          uint32 // first uid and gid given out; 0: 10000
	SealKey         []byte // 32 bytes; seals the password records
	DefaultLevel    Level
	DefaultRequired Level // Node++ NPP_REQUIRED_AUTH_LEVEL, of the web road

	SCRAMIterations int  // 0: 10,000
	SCRAMSHA1       bool // keep SHA-1 keys for old clients
	Argon2id        bool // no SCRAM: a memory-hard hash

	AnonymousRoads           []Road        // where LoginAnonymous may succeed
	AnonymousRequirePassword bool          // FTP: anon_user is then the original USER
	AnonymousTimeout         time.Duration // of an anonymous browser session
	SessionTimeout           time.Duration // of a logged-in browser session: then it is downgraded

	Now func() time.Time // nil: time.Now
}

// Service is identity's one door: log-ins, accounts, policy, audit. Registry is its list of
// sessions, Browsers the cookie sessions of the web.
type Service struct {
	core
}
