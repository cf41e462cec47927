package mam

import (
	"context"
	"errors"
	"time"

	"trivium/identity"
)

// Store keeps the archives. Everything hangs on the immutable ID of the account, so an account
// made anew inherits nothing. storetest is its contract: every implementation passes it.
type Store interface {
	// Put names a message and queues it for writing. It returns before the message is on disk;
	// done is called once, from any goroutine, with nil when it is, or with the error for which it
	// is not and never will be. While the queue is full Put blocks, until ctx ends at most. An error
	// of Put itself means that nothing was queued and done will not be called.
	//
	// A message that was put before, as Message says, is not written again: its receipt has the
	// first one's ID and Again set, and done is called when the first one is on disk.
	Put(ctx context.Context, m Message, done func(error)) (Receipt, error)
	// Page reads a part of an archive. It sees all that Put was called for before. An ID that the
	// query names and the archive does not hold is identity.ErrNotFound.
	Page(ctx context.Context, owner identity.UserID, q Query) (Page, error)
	// Bounds returns the IDs of the oldest and the newest message, zero where the archive is empty.
	Bounds(ctx context.Context, owner identity.UserID) (first, last ID, err error)
	// Count says how many messages an archive holds, with one contact where with is not "".
	Count(ctx context.Context, owner identity.UserID, with string) (int, error)
	// Replace rewrites a message in all archives that hold it: fn gets the stanza and returns the
	// new one, or nil to leave it. fn must be quick. identity.ErrNotFound where owner has none.
	Replace(ctx context.Context, owner identity.UserID, id ID, fn func(stanza []byte) []byte) error
	// Find returns the newest message under an origin-id or id from one bare JID to another, among
	// the last some thousands that owner sent, or got from a sender without an archive; 0 where
	// there is none.
	Find(ctx context.Context, owner identity.UserID, from, to, origin string) (ID, error)
	// Settings returns what PutSettings stored last, nil where nothing was.
	Settings(ctx context.Context, owner identity.UserID) ([]byte, error)
	PutSettings(ctx context.Context, owner identity.UserID, settings []byte) error
	// Remove forgets an account: messages, settings and all. The copies of its contacts stay.
	Remove(ctx context.Context, owner identity.UserID) error
	// Owners calls fn with each account that has something here, until it returns an error.
	Owners(ctx context.Context, fn func(identity.UserID) error) error
	// Expire hides all messages before a moment at once, and removes some thousands of them or of
	// what other limits have hidden; more says that there is more to remove. keep bounds the
	// messages of each account, the newest stay; 0 does not.
	Expire(ctx context.Context, before time.Time, keep int) (more bool, err error)
	// Import puts messages of another server into the past of one archive, each at its time or the
	// next moment that is free, and says how many were not there before. What is older than the archive
	// goes back is left out. It is for a store on which no server works.
	Import(ctx context.Context, owner identity.UserID, list []Past) (added int, err error)
	// Key is a secret of 32 bytes, the same for the life of the archive.
	Key(ctx context.Context) ([]byte, error)
}

// Message is a message for one or two archives, which share its bytes.
type Message struct {
	From, To       identity.UserID // in whose archive it goes; "": in none, and not both ""
	FromJID, ToJID string          // the bare JIDs in their normal form
	// Origin is the origin-id, else the id that the sender gave; "" for a message that is never
	// the same as another. A message that an account sends to one contact under one Origin is put
	// once.
	Origin string
	// Content is how many bytes at the end of the stanza must be the same, too, for it to be sent
	// again, and the first must not be older than Since; 0 where the sender says that no other message
	// has this Origin (XEP-0359).
	Content int
	Since   ID
	Stanza  []byte
}

// Past is a message that one archive gets as another server has kept it.
type Past struct {
	At             time.Time // kept to the microsecond
	Sent           bool      // by the owner of the archive
	FromJID, ToJID string    // the bare JIDs in their normal form
	Stanza         []byte
}

// Receipt is what Put says.
type Receipt struct {
	ID    ID
	Again bool // the message was put before
}

// Query is a part of an archive. What is zero does not narrow it.
type Query struct {
	With          string // a bare JID, the sender or the recipient; one's own: messages to oneself
	Start, End    time.Time
	After, Before ID // both exclusive, and both in the archive
	// PageAfter and PageBefore are the same again: the place in what the rest chooses.
	PageAfter, PageBefore ID
	IDs                   []ID // these alone, in the order of the archive; each must be there
	// Match chooses by content. At most Scan messages are looked at.
	Match    func(stanza []byte) bool
	Scan     int
	Max      int  // messages of the page
	Bytes    int  // of their stanzas, where there is more than one; 0: no limit
	Backward bool // the last of those that fit, not the first; still in the order of the archive
}

// Page is an answer to a Query.
type Page struct {
	Messages []Stored
	Complete bool // nothing of what fits lies beyond the page, in its direction
}

// Stored is a message of an archive.
type Stored struct {
	ID     ID
	Stanza []byte
}

// ErrClosed is what Put answers while the server stops.
var ErrClosed = errors.New("the archive is closed")
