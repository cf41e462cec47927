package tokens

import (
	"context"
	"net/netip"
	"time"

	"trivium/identity"
)

// Row is a token as it is stored.
type Row struct {
	ID         string
	SecretHash []byte // SHA-256
	User       identity.UserID
	JID        string // the owner's when it was issued
	Label      string
	Scopes     []Scope
	Path       string         // "" = no bound
	From       []netip.Prefix // empty: from anywhere
	StoredKey  []byte         // SCRAM-SHA-256; nil without scope xmpp
	ServerKey  []byte
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	Use        Use

	passing bool // it is in memory alone (Passing); no store sees it
}

// Use is when, from where and by what a token was last used.
type Use struct {
	At       time.Time // zero: never
	Remote   string
	Protocol identity.Protocol
	Agent    string
}

// Store is what tokens needs of a database; storetest is its contract. A token that is not there
// is identity.ErrNotFound.
type Store interface {
	Put(ctx context.Context, r Row) error
	Get(ctx context.Context, id string) (Row, error)
	List(ctx context.Context, user identity.UserID) ([]Row, error) // "": everybody's; oldest first
	Remove(ctx context.Context, ids ...string) error
	Used(ctx context.Context, uses map[string]Use) error // unknown IDs are passed over
}
