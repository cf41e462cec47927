package identity

import (
	"context"
	"strings"
	"time"
)

// FactorKind is a way to show who one is beside the password.
type FactorKind string

// The kinds. A passkey alone never makes a second factor asked for; the others do, as whoever sets
// them up wants it. Recovery codes stand in for one that is lost.
const (
	FactorPasskey  FactorKind = "passkey"
	FactorTOTP     FactorKind = "totp"
	FactorChat     FactorKind = "chat" // the person allows the log-in in chat (XEP-0070)
	FactorRecovery FactorKind = "recovery"
)

// FactorKinds lists the kinds in the order of their bits in a FactorSet.
func FactorKinds() []FactorKind {
	return []FactorKind{FactorPasskey, FactorTOTP, FactorChat, FactorRecovery}
}

// FactorSet is a set of kinds, a bit for each.
type FactorSet uint8

// SetOf makes a set.
func SetOf(kinds ...FactorKind) FactorSet {
	var s FactorSet
	for i, k := range FactorKinds() {
		for _, want := range kinds {
			if k == want {
				s |= 1 << i
			}
		}
	}
	return s
}

// Has reports whether one of the kinds at least is in s.
func (s FactorSet) Has(kinds ...FactorKind) bool { return s&SetOf(kinds...) != 0 }

// Kinds lists what is in s.
func (s FactorSet) Kinds() []FactorKind {
	kinds := []FactorKind{}
	for i, k := range FactorKinds() {
		if s&(1<<i) != 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// Asked reports whether a log-in by password needs a second factor because of s alone.
func (s FactorSet) Asked() bool { return s.Has(FactorTOTP, FactorChat) }

// Usable reports whether s has a second factor: recovery codes are none of their own.
func (s FactorSet) Usable() bool { return s.Has(FactorPasskey, FactorTOTP, FactorChat) }

// String lists the kinds with commas.
func (s FactorSet) String() string {
	names := make([]string, 0, len(FactorKinds()))
	for _, k := range s.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ",")
}

// FactorRow is a factor as it is stored.
type FactorRow struct {
	ID         string
	User       UserID
	Kind       FactorKind
	Label      string
	Credential string // of a passkey, in base64url: unique over all accounts; else ""
	Sealed     []byte // the secret, which opens for this row and account alone; of chat nil
	// Counter is the time step of the last code (totp), the signature counter (passkey), or how many
	// codes are left (recovery).
	Counter  int64
	Failures int64 // wrong codes since the last right one
	FailedAt time.Time
	Cloned   bool // a passkey of which a copy was used: it is good for nothing any more

	CreatedAt             time.Time
	UsedAt                time.Time // zero: never
	UsedRemote, UsedAgent string
}

// Factor is what lists show of a factor: nothing secret.
type Factor struct {
	ID         string     `json:"id"`
	Kind       FactorKind `json:"kind"`
	Label      string     `json:"label"`
	Left       int        `json:"left"`   // recovery codes that are left; 0 of other kinds
	Cloned     bool       `json:"cloned"` // a copy of the passkey was used; remove it
	CreatedAt  time.Time  `json:"created_at"`
	LastUsed   *time.Time `json:"last_used"`
	LastRemote string     `json:"last_remote"`
	LastAgent  string     `json:"last_agent"`
}

func (r FactorRow) shown() Factor {
	f := Factor{ID: r.ID, Kind: r.Kind, Label: r.Label, Cloned: r.Cloned, CreatedAt: r.CreatedAt, LastRemote: r.UsedRemote, LastAgent: r.UsedAgent}
	if r.Kind == FactorRecovery {
		f.Left = int(r.Counter)
	}
	if !r.UsedAt.IsZero() {
		at := r.UsedAt
		f.LastUsed = &at
	}
	return f
}

// used is r after a right answer.
func (r FactorRow) used(ses *Session, at time.Time) FactorRow {
	r.UsedAt = at.UTC().Truncate(timeUnit)
	r.UsedRemote, r.UsedAgent = remoteText(ses), ses.Details().UserAgent
	r.Failures, r.FailedAt = 0, time.Time{}
	return r
}

// TOTPKey is a new key for an authenticator app.
type TOTPKey struct {
	Secret Secret // base32, as people type it
	URI    Secret // otpauth://totp/…, as a QR code has it
}

// TOTP is what identity needs of one-time codes (RFC 6238).
type TOTP interface {
	// NewKey makes a key; issuer and account are what the app shows.
	NewKey(issuer, account string) (TOTPKey, error)
	// Step returns the time step at which code is right, the one of at or its neighbours; false
	// where it is wrong.
	Step(secret Secret, code string, at time.Time) (step int64, ok bool)
}

// Site is what passkeys are bound to (WebAuthn Level 3 section 5.1.2): the relying party.
type Site struct {
	ID      string   // a domain
	Name    string   // for people
	Origins []string // where its pages are
}

// PasskeyOwner is the account that a passkey is made for.
type PasskeyOwner struct {
	Handle        []byte // the UserID
	Name, Display string
}

// Ceremony is a question to an authenticator: Options go to the browser as JSON, State stays here
// until its answer comes.
type Ceremony struct {
	Challenge string // base64url
	Options   []byte
	State     []byte
}

// Passkey is a credential that has been made, or used.
type Passkey struct {
	Credential string // its ID in base64url
	Record     []byte // public key and flags, for the next use
	Counter    uint32
	Cloned     bool // the counter went back, or stood still: there is a copy
}

// PasskeyAnswer is what the answer to a question says of itself, nothing of it proven.
type PasskeyAnswer struct {
	Challenge  string
	Credential string
	Handle     []byte
}

// Passkeys is what identity needs of WebAuthn. User verification is always required, and so are
// credentials that the authenticator finds by itself.
type Passkeys interface {
	// Offer begins to make a passkey; one of have is not made twice by the same authenticator.
	Offer(site Site, owner PasskeyOwner, have []string) (Ceremony, error)
	// Made checks the answer to Offer. An error wraps ErrInvalid.
	Made(site Site, owner PasskeyOwner, state, answer []byte) (Passkey, error)
	// Ask begins a use, of one of allow, or of any where there are none.
	Ask(site Site, allow []string) (Ceremony, error)
	// Used checks the answer to Ask with the owner and the passkey that it names. An error wraps
	// ErrCredentials.
	Used(site Site, owner PasskeyOwner, p Passkey, state, answer []byte) (Passkey, error)
	// Read tells which passkey an answer, to Offer or Ask, is of. An error wraps ErrInvalid.
	Read(answer []byte) (PasskeyAnswer, error)
}

// ChatQuestion is a log-in that a person is asked about in chat.
type ChatQuestion struct {
	Login  UserName
	Domain string
	Code   string // shown on both sides, so that the person knows that it is about the same log-in
	Method string // of HTTP
	URL    string
	From   string // address and browser, for people
}

// Chat is what identity needs of the chat road (XEP-0070).
type Chat interface {
	// Reachable reports whether the account has a client that could answer now.
	Reachable(login UserName, domain string) bool
	// Confirm asks the account's clients and waits for the first answer: true for yes. ErrNotFound
	// where there is nobody to ask; the context's error where no answer came.
	Confirm(ctx context.Context, q ChatQuestion) (bool, error)
}
