package crypt3

import (
	"crypto/md5" //nolint:gosec // what $1$ is made of
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strconv"
	"strings"

	"github.com/sergeymakinen/go-crypt/des"
	"github.com/sergeymakinen/go-crypt/hash"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of what a check may cost; the dearest takes about a second of one CPU.
const (
	maxBcrypt     = 14
	maxRounds     = 1_000_000
	minRounds     = 1_000 // fewer count as these
	defaultRounds = 5_000
	maxShaWork    = 256 << 20 // bytes of a password times rounds, as each round hashes it again
)

// readBcrypt reads cost, 22 characters of salt and 31 of hash.
func readBcrypt(prefix, text string) (Hash, error) {
	const length = 3 + 22 + 31
	if len(text) != length || text[2] != '$' || !allIn(text[3:], cryptAlphabet) {
		return Hash{}, damaged("bcrypt")
	}
	cost, err := strconv.Atoi(text[:2])
	if err != nil || cost < bcrypt.MinCost {
		return Hash{}, damaged("bcrypt")
	}
	if cost > maxBcrypt {
		return Hash{}, costs("bcrypt with cost %d, at most %d", cost, maxBcrypt)
	}
	whole := []byte(prefix + text)
	return Hash{Kind: "bcrypt", Cost: "cost=" + strconv.Itoa(cost), Decoy: fmt.Sprintf("$2b$%02d$%s", cost, strings.Repeat(".", 22+31)),
		matches: func(p string) bool {
			// All but the first 72 bytes are left out, as crypt(3) does it.
			return bcrypt.CompareHashAndPassword(whole, []byte(p[:min(len(p), 72)])) == nil
		}}, nil
}

// readSHA2 reads rounds, if they are given, salt and hash.
func readSHA2(prefix, text string) (Hash, error) {
	h := Hash{Kind: "sha256crypt"}
	length, newHash, order := 43, sha256.New, order256()
	if prefix == "$6$" {
		h.Kind, length, newHash, order = "sha512crypt", 86, sha512.New, order512()
	}
	rounds, given := defaultRounds, ""
	if rest, ok := strings.CutPrefix(text, "rounds="); ok {
		n, after, found := strings.Cut(rest, "$")
		r, err := strconv.ParseUint(n, 10, 32)
		if err != nil || !found {
			return Hash{}, damaged(h.Kind)
		}
		if r > maxRounds {
			return Hash{}, costs("%s with %d rounds, at most %d", h.Kind, r, maxRounds)
		}
		rounds, text = max(int(r), minRounds), after
		given = "rounds=" + strconv.Itoa(rounds) + "$"
	}
	salt, sum, ok := strings.Cut(text, "$")
	salt = salt[:min(len(salt), 16)] // what is longer is left out
	if !ok || len(sum) != length || !allIn(sum, cryptAlphabet) || !allIn(salt, cryptAlphabet) {
		return Hash{}, damaged(h.Kind)
	}
	h.Cost = "rounds=" + strconv.Itoa(rounds)
	h.Decoy = prefix + given + strings.Repeat(".", 16) + "$" + strings.Repeat(".", length)
	h.matches = func(p string) bool {
		if len(p)*rounds > maxShaWork {
			return false
		}
		return same(sha2crypt(newHash, order, p, salt, rounds), sum)
	}
	return h, nil
}

// maxPassphrase is the bound of libxcrypt in bytes.
const maxPassphrase = 512

// desLength is two characters of salt and desSum of hash.
const (
	desLength = 13
	desSum    = 11
)

func readDES(text string) (Hash, error) {
	return Hash{Kind: "descrypt", Weak: true, Decoy: strings.Repeat(".", desLength), matches: func(p string) bool {
		// des.Check reads the text by a table of types that it writes to without a lock.
		key, err := des.Key([]byte(p[:min(len(p), des.MaxPasswordLength)]), []byte(text[:desLength-desSum]))
		if err != nil {
			return false
		}
		sum := make([]byte, desSum)
		hash.BigEndianEncoding.Encode(sum, key)
		return same(string(sum), text[desLength-desSum:])
	}}, nil
}

// readMD5 reads $1$ and Apache's $apr1$, which differ in their name alone.
func readMD5(prefix, text string) (Hash, error) {
	salt, sum, ok := strings.Cut(text, "$")
	salt = salt[:min(len(salt), 8)]
	if !ok || len(sum) != 22 || !allIn(sum, cryptAlphabet) {
		return Hash{}, damaged("md5crypt")
	}
	return Hash{Kind: "md5crypt", Weak: true, Decoy: prefix + "........$" + strings.Repeat(".", 22),
		matches: func(p string) bool { return len(p) <= maxPassphrase && same(md5crypt(prefix, salt, p), sum) }}, nil
}

// md5crypt is Poul-Henning Kamp's algorithm of 1994.
func md5crypt(magic, salt, password string) string {
	sum := md5.Sum([]byte(password + salt + password)) //nolint:gosec // see above
	h := md5.New()                                     //nolint:gosec // see above
	h.Write([]byte(password + magic + salt))
	for n := len(password); n > 0; n -= md5.Size {
		h.Write(sum[:min(n, md5.Size)])
	}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			h.Write([]byte{0})
		} else {
			h.Write([]byte(password[:1]))
		}
	}
	out := h.Sum(nil)
	for i := range 1000 {
		h.Reset()
		if i&1 == 1 {
			h.Write([]byte(password))
		} else {
			h.Write(out)
		}
		if i%3 != 0 {
			h.Write([]byte(salt))
		}
		if i%7 != 0 {
			h.Write([]byte(password))
		}
		if i&1 == 1 {
			h.Write(out)
		} else {
			h.Write([]byte(password))
		}
		out = h.Sum(out[:0])
	}
	order := [...]int{12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11}
	mixed := make([]byte, len(order))
	for i, from := range order {
		mixed[i] = out[from]
	}
	return encode64(mixed)
}
