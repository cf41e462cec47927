package xmpp

import (
	"crypto/tls"
	"time"

	"trivium/identity"
)

// transport carries one stream over a connection. One goroutine reads; one at a time writes, and
// another one waits for it.
type transport interface {
	// next waits for the next frame. Its goroutine owns the reading side from accept to end. After
	// os.ErrDeadlineExceeded it may be called again, and goes on where it was.
	next() (frame, error)
	// heard is how many bytes have come; for the reader alone.
	heard() uint64
	// write sends whole elements within a time; after an error nothing more can be written.
	write(items []item, within time.Duration) error
	// conclude is the last write; one that comes later fails.
	conclude(items []item, within time.Duration) error
	// opened checks the form of the peer's open tag; open is our answer to it, and closing the end
	// tag.
	opened(el *Element) error
	open(id, from, to string) []byte
	closing() []byte
	// restart says that the peer begins a new stream with its next tag.
	restart()
	// limits bounds an element and, where beforeLogin is not below 0, all that is yet to be read.
	limits(element, beforeLogin int)
	// deadline makes reading fail at t, from any goroutine; zero means never.
	deadline(t time.Time)
	// hurry makes reading fail now and writing at t, from any goroutine, and for good: deadline
	// means nothing any more.
	hurry(t time.Time)
	// drain reads and throws away until the peer closes, or until t.
	drain(t time.Time)
	// shut tells the peer that nothing more will be written.
	shut()
	// cut closes the connection at once.
	cut()
	// account counts what moves from now on for a session. No writer runs meanwhile.
	account(ses *identity.Session)
	// secured reports whether nobody on the way can read along; tlsState is what log-ins can be bound
	// to, nil where there is nothing.
	secured() bool
	tlsState() *tls.ConnectionState
}

// item is one element, or what else must be written as one.
type item struct {
	b []byte
	// gone is called once the client has it; may be nil. See Stream.PutThen.
	gone func()
}

// size is what a waiting item costs.
func (it item) size() int { return len(it.b) + overhead }
