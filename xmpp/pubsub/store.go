package pubsub

import (
	"context"
	"time"

	"trivium/identity"
)

// Store is what pubsub needs of a database. Everything hangs on the immutable ID of the account
// that owns the nodes. storetest is its contract: every implementation passes it. Reads see what
// has been committed.
type Store interface {
	StoreReader
	// Write runs fn in one transaction that is durable when Write returns nil; an error of fn
	// undoes all that it did and comes back. fn must not call Write.
	Write(ctx context.Context, fn func(StoreWriter) error) error
	// Remove forgets all nodes of an account, and its subscriptions to those of others.
	Remove(ctx context.Context, owner identity.UserID) error
}

// StoreReader is the reading half, inside and outside of a transaction.
type StoreReader interface {
	// Node returns one node; identity.ErrNotFound where there is none.
	Node(ctx context.Context, owner identity.UserID, name string) (Node, error)
	// Nodes returns all nodes of an account by name.
	Nodes(ctx context.Context, owner identity.UserID) ([]Node, error)
	// Greeting returns the nodes with items of any of these bare JIDs that are configured to send
	// their last item when a subscriber comes online; in no order.
	Greeting(ctx context.Context, jids []string) ([]Node, error)
	// Usage says how many nodes an account has and how many bytes its items take.
	Usage(ctx context.Context, owner identity.UserID) (nodes int, bytes int64, err error)

	// Item returns one item; identity.ErrNotFound where there is none.
	Item(ctx context.Context, owner identity.UserID, node, id string) (Item, error)
	// Items returns a page of items in the order of publication, and whether there are more in
	// that direction.
	Items(ctx context.Context, owner identity.UserID, node string, p Page) (list []Item, more bool, err error)
	// Count says how many items there are that are newer than since and were published before the
	// item of the number seq; 0 is no bound.
	Count(ctx context.Context, owner identity.UserID, node string, seq int64, since time.Time) (int, error)

	// Affiliation is None where none was given.
	Affiliation(ctx context.Context, owner identity.UserID, node, jid string) (Affiliation, error)
	// Affiliations returns those of a node by JID, or with node "" those that jid has to all nodes
	// by name; one of the two is given.
	Affiliations(ctx context.Context, owner identity.UserID, node, jid string) ([]Affiliated, error)
	// Subscriptions returns those to a node by JID, or with node "" those that the bare JID has,
	// with or without a resource, to all nodes by name; one of the two is given.
	Subscriptions(ctx context.Context, owner identity.UserID, node, bare string) ([]Subscription, error)
}

// StoreWriter is a transaction.
type StoreWriter interface {
	StoreReader
	// PutNode makes a node or gives it another configuration.
	PutNode(ctx context.Context, n Node) error
	// RemoveNode removes a node with all that hangs on it; one that is not there is no error.
	RemoveNode(ctx context.Context, owner identity.UserID, name string) error
	// PutItem puts an item at the end of a node that is there, in the place of one with its ID.
	PutItem(ctx context.Context, owner identity.UserID, node string, i Item) error
	// RemoveItem reports whether there was such an item.
	RemoveItem(ctx context.Context, owner identity.UserID, node, id string) (bool, error)
	// RemoveItems removes the items that were published before a time; the zero time is for all.
	RemoveItems(ctx context.Context, owner identity.UserID, node string, before time.Time) error
	// Trim removes the oldest items so that keep are left, and returns the IDs of those removed.
	Trim(ctx context.Context, owner identity.UserID, node string, keep int) (ids []string, err error)
	// PutAffiliation gives an affiliation; None removes it.
	PutAffiliation(ctx context.Context, owner identity.UserID, a Affiliated) error
	// PutSubscription makes or changes a subscription.
	PutSubscription(ctx context.Context, owner identity.UserID, s Subscription) error
	// RemoveSubscription reports whether there was such a subscription.
	RemoveSubscription(ctx context.Context, owner identity.UserID, node, jid string) (bool, error)
}

// Node is a leaf node.
type Node struct {
	Owner   identity.UserID
	JID     string // the bare JID of the owner, which is the address of the service
	Name    string
	Config  Config
	Created time.Time // to the second

	Items int   // how many are stored; the store counts
	Bytes int64 // that they take
}

// Item is one item.
type Item struct {
	ID        string
	Payload   []byte // one whole element that stands for itself, or none
	Publisher string // full JID
	Published time.Time
	Seq       int64 // rises with publication; the store gives it
}

// size is what an item counts against the limit of an account.
func (i Item) size() int64 { return int64(len(i.ID)+len(i.Payload)+len(i.Publisher)) + itemOverhead }

// itemOverhead is what an item costs beside its bytes.
const itemOverhead = 100

// Size is what an item counts against the limit of an account, in bytes.
func (i Item) Size() int64 { return i.size() }

// Page is a part of a node's items. After and Before are numbers of items that are left out
// themselves; 0 is no bound.
type Page struct {
	After, Before int64
	Last          bool // the last ones of what fits
	Max           int
	Bytes         int64     // the sum of sizes; the first item always fits
	Since         time.Time // older items are left out
}

// Affiliation is what an address may do at a node (XEP-0060 section 4.1).
type Affiliation string

// The affiliations.
const (
	None        Affiliation = "none"
	Owning      Affiliation = "owner"
	Publisher   Affiliation = "publisher"
	PublishOnly Affiliation = "publish-only"
	Member      Affiliation = "member"
	Outcast     Affiliation = "outcast"
)

// Affiliated is an affiliation that was given.
type Affiliated struct {
	Node string
	JID  string // bare
	Affiliation
}

// Subscription is one that somebody has asked for.
type Subscription struct {
	Node    string
	JID     string // bare or full: where notifications go
	Bare    string
	Account identity.UserID // whose it is, "" for nobody of ours
	Pending bool            // waits for the owner
}

// State is the value of the attribute `subscription`.
func (s Subscription) State() string {
	if s.Pending {
		return "pending"
	}
	return "subscribed"
}
