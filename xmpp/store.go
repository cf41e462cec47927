package xmpp

import (
	"context"
	"time"

	"trivium/identity"
)

// Store is what xmpp needs of a database: rosters and the subscription requests that wait in
// them, and what tokens of clients there are, though not the tokens. Everything hangs on the immutable ID of the account, so an account made anew inherits
// nothing. storetest is its contract: every implementation passes it. Reads see what has been
// committed.
type Store interface {
	StoreReader
	// Write runs fn in one transaction that is durable when Write returns nil; an error of fn
	// undoes all that it did and comes back. fn must not call Write.
	Write(ctx context.Context, fn func(StoreWriter) error) error
}

// StoreReader is the reading half, inside and outside of a transaction.
type StoreReader interface {
	// Roster returns all contacts of an account by JID, and "" as version where nothing was
	// ever stored.
	Roster(ctx context.Context, owner identity.UserID) (Roster, error)
	// RosterVersion returns the version alone.
	RosterVersion(ctx context.Context, owner identity.UserID) (string, error)
	// Contact returns one contact; identity.ErrNotFound where there is none.
	Contact(ctx context.Context, owner identity.UserID, jid string) (Contact, error)
	// FAST returns the tokens of one client of an account; identity.ErrNotFound where it has none.
	FAST(ctx context.Context, owner identity.UserID, client string) (FASTClient, error)
	// FASTClients returns the clients of an account that have tokens, the one seen last first.
	FASTClients(ctx context.Context, owner identity.UserID) ([]FASTClient, error)
	// CountContacts says how many contacts there are with and without Listed.
	CountContacts(ctx context.Context, owner identity.UserID) (listed, unlisted int, err error)
}

// StoreWriter is a transaction.
type StoreWriter interface {
	StoreReader
	PutContact(ctx context.Context, owner identity.UserID, c Contact) error // by JID
	// RemoveContact removes a contact; one that is not there is no error.
	RemoveContact(ctx context.Context, owner identity.UserID, jid string) error
	// PutRosterVersion names the roster's new state; only equality counts.
	PutRosterVersion(ctx context.Context, owner identity.UserID, version string) error
	PutFAST(ctx context.Context, owner identity.UserID, c FASTClient) error // by the agent's ID
	// RemoveFAST removes the tokens of a client; one that has none is no error.
	RemoveFAST(ctx context.Context, owner identity.UserID, client string) error
}

// Roster is the contact list of one account.
type Roster struct {
	Version  string // opaque, another one after each change that a client sees
	Contacts []Contact
}

// Contact is one entry of a roster.
type Contact struct {
	JID    string   // bare JID in its normal form (RFC 7622)
	Name   string   // the handle; "" where none was given
	Groups []string // sorted, each once
	State  Subscription
	// Listed is false where there is nothing but a request that waits for an answer: such an
	// entry is never shown or pushed to clients (RFC 6121 section 3.1.3).
	Listed bool
	// Request is the subscription request as it will be delivered, while State has PendingIn.
	Request []byte
}

// FASTClient is an installation of a client with the tokens by which it logs in (XEP-0484). A token
// itself stands nowhere: it is derived from this and from a key of the server.
type FASTClient struct {
	Agent     UserAgent // by its ID, which is not empty
	Mechanism string    // that the tokens are for
	Version   int64     // of the account's credential, when they were given out
	Current   FASTToken // that was used
	Next      FASTToken // that was given out since, and not used yet
	Uses      int64     // the highest count that the client has sent with Current
	FirstSeen time.Time // when it got its first token; times are kept to the second
	LastSeen  time.Time // when it last logged in by one, within an hour
}

// FASTToken is one token; Nonce is "" where there is none.
type FASTToken struct {
	Nonce   string
	Expires time.Time
}
