package crypt3

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// Why a hash cannot be used.
var (
	ErrUnknown = errors.New("no hash of a kind that is known")
	ErrDamaged = errors.New("the hash is damaged")
	ErrCost    = errors.New("the hash asks for more work or memory than a log-in may cost")
)

// maxText bounds a hash in bytes. The longest that are known have some 200.
const maxText = 512

// Hash is a hash that has been read.
type Hash struct {
	Kind   string // such as sha512crypt
	Cost   string // of a check, such as rounds=5000; "" where there is nothing to choose
	Weak   bool   // a guess costs next to nothing
	Memory int    // KiB that a check takes; 0: next to nothing
	Decoy  string // a hash of the same kind and cost that is nobody's

	matches func(password string) bool
}

// Matches reports whether password is the one that was hashed. It takes as long for a wrong one.
func (h Hash) Matches(password string) bool { return h.matches != nil && h.matches(password) }

// reader reads one kind of hash; text is what follows the prefix.
type reader struct {
	prefix string
	read   func(prefix, text string) (Hash, error)
}

// readers are tried in their order.
func readers() []reader {
	return []reader{
		{"$2a$", readBcrypt}, {"$2b$", readBcrypt}, {"$2y$", readBcrypt},
		{"$y$", readYescrypt}, {"$7$", readScrypt},
		{"$argon2id$", readArgon2}, {"$argon2i$", readArgon2},
		{"$5$", readSHA2}, {"$6$", readSHA2},
		{"$1$", readMD5}, {"$apr1$", readMD5},
		{"$pbkdf2-b64salt-sha256$", readPBKDF2}, {"$pbkdf2-sha1$", readPBKDF2}, {"$pbkdf2-sha256$", readPBKDF2},
		{"$pbkdf2-sha512$", readPBKDF2}, {"$pbkdf2$", readPBKDF2},
		{"pbkdf2_sha256$", readPBKDF2}, {"pbkdf2_sha1$", readPBKDF2},
		{"{SHA}", readDigest}, {"{SSHA}", readDigest}, {"{MD5}", readDigest}, {"{SHA256}", readDigest}, {"{SHA512}", readDigest},
	}
}

// Parse reads a hash. The error wraps ErrUnknown, ErrDamaged or ErrCost, and repeats nothing of the
// text.
func Parse(text string) (Hash, error) {
	if len(text) > maxText {
		return Hash{}, ErrUnknown
	}
	if rest, ok := cutFold(text, "{CRYPT}"); ok { // RFC 2307 section 5.3
		text = rest
	}
	for _, r := range readers() {
		if rest, ok := strings.CutPrefix(text, r.prefix); ok {
			return r.read(r.prefix, rest)
		}
		if r.prefix[0] == '{' {
			if rest, ok := cutFold(text, r.prefix); ok {
				return r.read(r.prefix, rest)
			}
		}
	}
	if len(text) == desLength && allIn(text, cryptAlphabet) {
		return readDES(text)
	}
	return Hash{}, ErrUnknown
}

// cutFold is strings.CutPrefix where letters may be small or capital.
func cutFold(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return "", false
	}
	return text[len(prefix):], true
}

// cryptAlphabet is the one of crypt(5), in the order of its values.
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// allIn reports whether text has characters of alphabet alone.
func allIn(text, alphabet string) bool {
	for i := range len(text) {
		if strings.IndexByte(alphabet, text[i]) < 0 {
			return false
		}
	}
	return true
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func sameBytes(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

func damaged(what string) error { return fmt.Errorf("%w: %s", ErrDamaged, what) }

func costs(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCost, fmt.Sprintf(format, args...))
}

// encode64 is the encoding of crypt(5): groups of three bytes, the lowest six bits first.
func encode64(src []byte) string {
	var b strings.Builder
	for i := 0; i < len(src); i += 3 {
		v, n := uint32(0), min(3, len(src)-i)
		for j := range n {
			v |= uint32(src[i+j]) << (8 * j)
		}
		for bits := 0; bits < 8*n; bits += 6 {
			b.WriteByte(cryptAlphabet[v&63])
			v >>= 6
		}
	}
	return b.String()
}
