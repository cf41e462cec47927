package identity

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 5802 names it; only where policy keeps it for old clients
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"hash"
	"net/netip"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/xdg-go/stringprep"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Numbers of the password records.
const (
	saltBytes         = 16
	defaultIterations = 10000 // RFC 7677 section 4 asks for 4096 at least
	maxPasswordBytes  = 1024
	argonMemory       = 19 * 1024 // KiB; with two passes OWASP's choice, and no collapse under load
	argonPasses       = 2
	argonKeyBytes     = 32
)

// recordKind says how a password is kept.
type recordKind string

const (
	recordSalt  recordKind = "salt" // no password: salt and iterations that tokens hang on
	recordSCRAM recordKind = "scram"
	recordArgon recordKind = "argon2id"

	recordForeign recordKind = "foreign" // a hash of another server, until the first good log-in
)

// passwordRecord is the inside of a Record.
type passwordRecord struct {
	Kind       recordKind `json:"kind"`
	Salt       []byte     `json:"salt"`
	Iterations int        `json:"iterations,omitempty"`
	SHA256     *scramKeys `json:"sha256,omitempty"`
	SHA1       *scramKeys `json:"sha1,omitempty"`
	Argon      *argonHash `json:"argon2id,omitempty"`
	Foreign    string     `json:"foreign,omitempty"`
}

// scramKeys are what RFC 5802 section 3 has a server store.
type scramKeys struct {
	Stored []byte `json:"stored"`
	Server []byte `json:"server"`
}

type argonHash struct {
	Memory uint32 `json:"memory"` // KiB
	Passes uint32 `json:"passes"`
	Key    []byte `json:"key"`
}

// passwords makes and checks records, at a cost that does not depend on who asks.
type passwords struct {
	seal       *sealer
	gate       *gate
	cache      *credentialCache
	iterations int
	sha1       bool
	argon      bool
	tokens     TokenVerifier
	foreign    ForeignHashes // nil: none is known
	heavy      *gate         // before gate, for what takes much memory
	decoys     *decoys
	blank      Record // of nobody, as long as one of somebody

	hashes atomic.Int64 // slow hashes begun
}

// preparePassword brings a password into the form that is hashed: SASLprep, as SCRAM asks for
// (RFC 5802 section 5.1), and NFKC for what is younger than its tables. ok is false for what no
// client should send.
func preparePassword(s string) (out string, ok bool) {
	if s == "" || len(s) > maxPasswordBytes || !utf8.ValidString(s) {
		return "", false
	}
	for _, c := range s {
		if unicode.IsControl(c) {
			return "", false
		}
	}
	if p, err := stringprep.SASLprep.Prepare(s); err == nil {
		return p, p != ""
	}
	return norm.NFKC.String(s), true
}

// record makes the record of a new password; it keeps the salt of old.
func (p *passwords) record(ctx context.Context, from netip.Prefix, id UserID, old Record, password Secret) (Record, error) {
	r := passwordRecord{Kind: recordSalt}
	if len(old.Sealed) > 0 {
		was, err := p.open(id, old)
		if err != nil {
			return Record{}, err
		}
		r.Salt, r.Iterations = was.Salt, was.Iterations
	}
	if password.IsZero() {
		if r.Salt == nil {
			return Record{}, nil
		}
		return p.close(id, r)
	}
	if p.tokens != nil && p.tokens.IsToken(password) {
		return Record{}, fmt.Errorf("the password has the form of a token, which the log-in form refuses: %w", ErrInvalid)
	}
	text, ok := preparePassword(password.Reveal())
	if !ok {
		return Record{}, fmt.Errorf("a password has 1 to %d bytes of UTF-8 without control characters: %w", maxPasswordBytes, ErrInvalid)
	}
	if r.Salt == nil {
		r.Salt, r.Iterations = newSalt(), p.iterations
	}
	leave, err := p.gate.enter(ctx, from, false)
	if err != nil {
		return Record{}, err
	}
	defer leave()
	if p.argon {
		r.Kind = recordArgon
		r.Argon = &argonHash{Memory: argonMemory, Passes: argonPasses}
		r.Argon.Key = p.argonKey(text, r.Salt, *r.Argon)
		return p.close(id, r)
	}
	r.Kind = recordSCRAM
	r.SHA256 = p.scramKeys(sha256.New, text, r.Salt, r.Iterations)
	if p.sha1 {
		r.SHA1 = p.scramKeys(sha1.New, text, r.Salt, r.Iterations)
	}
	return p.close(id, r)
}

// ready makes blank.
func (p *passwords) ready() (err error) {
	r := p.dummy("")
	if p.sha1 && r.SHA256 != nil {
		r.SHA1 = &scramKeys{Stored: make([]byte, sha1.Size), Server: make([]byte, sha1.Size)}
	}
	p.blank, err = p.close(UserID(nobody), r)
	return err
}

// of opens the record of an account; has is false where it has none, or there is no account, which takes as
// long.
func (p *passwords) of(acc *Account) (r passwordRecord, has bool, err error) {
	if acc != nil && len(acc.Password.Sealed) > 0 {
		r, err = p.open(acc.ID, acc.Password)
		return r, true, err
	}
	_, err = p.open(UserID(nobody), p.blank)
	return passwordRecord{}, false, err
}

func newSalt() []byte {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, as its documentation says
	return salt
}

func (p *passwords) open(id UserID, r Record) (passwordRecord, error) {
	plain, err := p.seal.open(id, r)
	if err != nil {
		return passwordRecord{}, err
	}
	var out passwordRecord
	if err := json.Unmarshal(plain, &out); err != nil {
		return passwordRecord{}, errSeal
	}
	return out, nil
}

func (p *passwords) close(id UserID, r passwordRecord) (Record, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return Record{}, fmt.Errorf("writing a password record: %w", err)
	}
	return p.seal.seal(id, plain), nil
}

// sender is whose turn it is at the gate.
type sender struct {
	prefix netip.Prefix
	ahead  bool // before those that nobody knows
}

// verify checks password against the account's record; acc is nil for an unknown name. Where
// there is nothing to check, or allowed is false, it does the same work and says no; what that
// costs hangs on name, by which the throttle counts the account.
func (p *passwords) verify(ctx context.Context, from sender, name string, acc *Account, password Secret, allowed bool) (bool, error) {
	text, ok := preparePassword(password.Reveal())
	r, known := p.dummy(name), false
	was, has, err := p.of(acc)
	if err != nil {
		return false, err
	}
	if has && was.Kind != recordSalt {
		r, known = was, true
	}
	good := ok && known && allowed
	var id UserID
	var version int64
	if acc != nil {
		id, version = acc.ID, acc.CredentialVersion
	}
	key := p.cache.key(id, version, text)
	if p.cache.has(key) && good && active(acc) {
		return true, nil
	}
	free, err := p.heavily(ctx, from.prefix, r)
	if err != nil {
		return false, err
	}
	defer free()
	leave, err := p.gate.enter(ctx, from.prefix, from.ahead)
	if err != nil {
		return false, err
	}
	defer leave()
	if !p.matches(r, text, password) || !good {
		return false, nil
	}
	if active(acc) {
		p.cache.add(key)
	}
	return true, nil
}

// active reports whether a right password lets anybody in to acc. Where it does not, it is no faster the second
// time: that would tell a right one from a wrong one, which get the same answer.
func active(acc *Account) bool { return acc != nil && acc.State == UserActive }

// recalls reports whether password was found to be that of acc lately. It takes as long where acc
// is nil.
func (p *passwords) recalls(acc *Account, password Secret) bool {
	text, ok := preparePassword(password.Reveal())
	var id UserID
	var version int64
	if acc != nil {
		id, version = acc.ID, acc.CredentialVersion
	}
	return p.cache.has(p.cache.key(id, version, text)) && ok && active(acc)
}

// dummy is a record that no password matches, as costly as one made today or, for a share of the
// names, as one that was imported.
func (p *passwords) dummy(name string) passwordRecord {
	if p.decoys != nil {
		if text := p.decoys.pick(keyed(p.seal.names, "decoy", name)); text != "" {
			return passwordRecord{Kind: recordForeign, Foreign: text}
		}
	}
	none := make([]byte, sha256.Size)
	if p.argon {
		return passwordRecord{Kind: recordArgon, Salt: none[:saltBytes],
			Argon: &argonHash{Memory: argonMemory, Passes: argonPasses, Key: none}}
	}
	return passwordRecord{Kind: recordSCRAM, Salt: none[:saltBytes], Iterations: p.iterations,
		SHA256: &scramKeys{Stored: none, Server: none}}
}

func (p *passwords) matches(r passwordRecord, text string, password Secret) bool {
	switch {
	case r.Kind == recordForeign:
		return p.matchesForeign(r, password)
	case r.Kind == recordArgon && r.Argon != nil:
		return subtle.ConstantTimeCompare(p.argonKey(text, r.Salt, *r.Argon), r.Argon.Key) == 1
	default:
		return p.matchesSCRAM(r, text)
	}
}

func (p *passwords) argonKey(text string, salt []byte, a argonHash) []byte {
	p.hashes.Add(1)
	return argon2.IDKey([]byte(text), salt, a.Passes, a.Memory, 1, argonKeyBytes)
}

// scramKeys derives StoredKey and ServerKey (RFC 5802 section 3).
func (p *passwords) scramKeys(h func() hash.Hash, text string, salt []byte, iterations int) *scramKeys {
	p.hashes.Add(1)
	salted, err := pbkdf2.Key(h, text, salt, iterations, h().Size())
	if err != nil {
		return &scramKeys{} // only where FIPS mode forbids the hash: then nothing matches
	}
	return saltedKeys(h, salted)
}

// saltedKeys are those of a SaltedPassword (RFC 5802 section 3).
func saltedKeys(h func() hash.Hash, salted []byte) *scramKeys {
	stored := h()
	stored.Write(hmacOf(h, salted, "Client Key"))
	return &scramKeys{Stored: stored.Sum(nil), Server: hmacOf(h, salted, "Server Key")}
}

func hmacOf(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
