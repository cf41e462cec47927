package crypt3

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/openwall/yescrypt-go"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/scrypt"
)

// Bounds of what takes memory.
const (
	maxMemory     = 128 << 10 // KiB
	maxArgonWork  = 4 << 20   // KiB over all passes; pure-pw takes 8 MiB 255 times
	maxArgonLanes = 16
	maxScryptWork = 1 << 22 // N·r·p
	minKey        = 16      // bytes of a key
	maxKey        = 128     // bytes of a key or salt
)

// readYescrypt reads what libxcrypt makes: flavour j, then N and r in one character each.
func readYescrypt(prefix, text string) (Hash, error) {
	params, rest, ok := strings.Cut(text, "$")
	salt, sum, ok2 := strings.Cut(rest, "$")
	if !ok || !ok2 || len(sum) != 43 || !allIn(sum, cryptAlphabet) || !allIn(salt, cryptAlphabet) || salt == "" || len(salt) > 86 {
		return Hash{}, damaged("yescrypt")
	}
	if len(params) != 3 || params[0] != 'j' {
		return Hash{}, fmt.Errorf("%w: yescrypt with parameters that libxcrypt does not use", ErrUnknown)
	}
	log, r := strings.IndexByte(cryptAlphabet, params[1])+1, strings.IndexByte(cryptAlphabet, params[2])+1
	if log < 10 || r < 1 || r > 32 {
		return Hash{}, fmt.Errorf("%w: yescrypt with parameters that libxcrypt does not use", ErrUnknown)
	}
	if log > 18 || 128*r<<log > maxMemory<<10 {
		return Hash{}, costs("yescrypt with N=2^%d, r=%d", log, r)
	}
	whole := []byte(prefix + text)
	return Hash{Kind: "yescrypt", Cost: fmt.Sprintf("N=%d,r=%d", 1<<log, r), Memory: r << log / 8,
		Decoy: prefix + params + "$" + strings.Repeat(".", 22) + "$" + strings.Repeat(".", 43),
		matches: func(p string) bool {
			out, err := yescrypt.Hash([]byte(p), whole)
			return err == nil && sameBytes(out, whole)
		}}, nil
}

// readScrypt reads N in one character, r and p in five each, a salt that is text, and the hash.
func readScrypt(prefix, text string) (Hash, error) {
	const fixed = 1 + 5 + 5
	if len(text) < fixed || !allIn(text[:fixed], cryptAlphabet) {
		return Hash{}, damaged("scrypt")
	}
	log, r, p := strings.IndexByte(cryptAlphabet, text[0]), number64(text[1:6]), number64(text[6:fixed])
	salt, sum, ok := strings.Cut(text[fixed:], "$")
	if !ok || len(sum) != 43 || !allIn(sum, cryptAlphabet) || len(salt) > maxKey || log < 1 || r < 1 || p < 1 {
		return Hash{}, damaged("scrypt")
	}
	if log > 20 || r > 64 || p > 64 || r<<log/8 > maxMemory || r*p<<log > maxScryptWork {
		return Hash{}, costs("scrypt with N=2^%d, r=%d, p=%d", log, r, p)
	}
	return Hash{Kind: "scrypt", Cost: fmt.Sprintf("N=%d,r=%d,p=%d", 1<<log, r, p), Memory: r << log / 8,
		Decoy: prefix + text[:fixed] + strings.Repeat(".", 43) + "$" + strings.Repeat(".", 43),
		matches: func(password string) bool {
			key, err := scrypt.Key([]byte(password), []byte(salt), 1<<log, r, p, 32)
			return err == nil && same(encode64(key), sum)
		}}, nil
}

// number64 reads a number of characters of crypt(5), the lowest first.
func number64(text string) (n int) {
	for i := range len(text) {
		n |= strings.IndexByte(cryptAlphabet, text[i]) << (6 * i)
	}
	return n
}

// readArgon2 reads the form of the reference implementation: v=19$m=…,t=…,p=…$salt$hash.
func readArgon2(prefix, text string) (Hash, error) {
	kind := strings.Trim(prefix, "$")
	parts := strings.Split(text, "$")
	if len(parts) != 4 {
		return Hash{}, damaged(kind)
	}
	if parts[0] != "v="+strconv.Itoa(argon2.Version) {
		return Hash{}, fmt.Errorf("%w: %s of another version than 19", ErrUnknown, kind)
	}
	var memory, passes uint32
	var lanes uint8
	for field := range strings.SplitSeq(parts[1], ",") {
		name, value, _ := strings.Cut(field, "=")
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return Hash{}, damaged(kind)
		}
		switch {
		case name == "m":
			memory = uint32(n)
		case name == "t":
			passes = uint32(n)
		case name == "p" && n <= maxArgonLanes:
			lanes = uint8(n)
		case name == "p":
			return Hash{}, costs("%s with %d lanes, at most %d", kind, n, maxArgonLanes)
		default:
			return Hash{}, fmt.Errorf("%w: %s with a key or data of its own", ErrUnknown, kind)
		}
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[2])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[3])
	if err1 != nil || err2 != nil || memory < 8 || passes < 1 || lanes < 1 || len(salt) < 8 || len(salt) > maxKey || len(sum) < minKey || len(sum) > maxKey {
		return Hash{}, damaged(kind)
	}
	if memory > maxMemory || uint64(memory)*uint64(passes) > maxArgonWork {
		return Hash{}, costs("%s with %d KiB and %d passes", kind, memory, passes)
	}
	derive := argon2.IDKey
	if kind == "argon2i" {
		derive = argon2.Key
	}
	return Hash{Kind: kind, Cost: parts[1], Memory: int(memory),
		Decoy: prefix + parts[0] + "$" + parts[1] + "$" + blank(base64.RawStdEncoding, 16) + "$" + blank(base64.RawStdEncoding, len(sum)),
		matches: func(p string) bool {
			return sameBytes(derive([]byte(p), salt, passes, memory, lanes, uint32(len(sum))), sum)
		}}, nil
}

// blank encodes n zero bytes.
func blank(e *base64.Encoding, n int) string { return e.EncodeToString(make([]byte, n)) }
