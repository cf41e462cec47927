package crypt3

import (
	"crypto/md5" //nolint:gosec // hashes of others
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // hashes of others
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
)

const maxIterations = 2_000_000 // Django 6 takes 1,200,000

// readPBKDF2 reads iterations, salt and key. Three programs share the form and differ in how they
// write the last two: SFTPGo has base64 with padding and, but for b64salt, takes the salt as text;
// Django likewise; passlib has base64 with a dot for the plus, without padding, for both.
func readPBKDF2(prefix, text string) (Hash, error) {
	h := Hash{Kind: "pbkdf2-sha256"}
	derive := sha256.New
	switch {
	case strings.Contains(prefix, "sha512"):
		h.Kind, derive = "pbkdf2-sha512", sha512.New
	case !strings.Contains(prefix, "sha256"):
		h.Kind, derive = "pbkdf2-sha1", sha1.New
	}
	parts := strings.Split(text, "$")
	if len(parts) != 3 {
		return Hash{}, damaged(h.Kind)
	}
	n, err := strconv.ParseUint(parts[0], 10, 32)
	if err != nil || n < 1 {
		return Hash{}, damaged(h.Kind)
	}
	if n > maxIterations {
		return Hash{}, costs("%s with %d iterations, at most %d", h.Kind, n, maxIterations)
	}
	salt, sum, err := pbkdf2Parts(prefix, parts[1], parts[2])
	if err != nil || len(salt) > maxKey || len(sum) < minKey || len(sum) > maxKey {
		return Hash{}, damaged(h.Kind)
	}
	h.Cost = "iterations=" + parts[0]
	h.Decoy = "$" + h.Kind + "$" + parts[0] + "$AAAAAAAAAAAAAAAAAAAAAA$" + strings.TrimRight(blank(base64.StdEncoding, len(sum)), "=")
	if h.Kind == "pbkdf2-sha1" {
		h.Decoy = strings.Replace(h.Decoy, "$pbkdf2-sha1$", "$pbkdf2$", 1)
	}
	h.matches = func(p string) bool {
		key, err := pbkdf2.Key(derive, p, salt, int(n), len(sum))
		return err == nil && sameBytes(key, sum)
	}
	return h, nil
}

func pbkdf2Parts(prefix, salt, sum string) (s, k []byte, err error) {
	passlib := prefix[0] == '$' && !strings.HasSuffix(sum, "=") && prefix != "$pbkdf2-b64salt-sha256$"
	if passlib {
		dots := strings.NewReplacer(".", "+")
		if s, err = base64.RawStdEncoding.DecodeString(dots.Replace(salt)); err != nil {
			return nil, nil, err
		}
		k, err = base64.RawStdEncoding.DecodeString(dots.Replace(sum))
		return s, k, err
	}
	s = []byte(salt)
	if prefix == "$pbkdf2-b64salt-sha256$" {
		if s, err = base64.StdEncoding.DecodeString(salt); err != nil {
			return nil, nil, err
		}
	}
	k, err = base64.StdEncoding.DecodeString(sum)
	return s, k, err
}

// readDigest reads one plain digest: those of RFC 2307 in base64, with what follows the digest as
// salt; the others, which SFTPGo takes, in hexadecimal without one.
func readDigest(prefix, text string) (Hash, error) {
	var digest func() hash.Hash
	switch prefix {
	case "{MD5}":
		digest = md5.New
	case "{SHA}", "{SSHA}":
		digest = sha1.New
	case "{SHA256}":
		digest = sha256.New
	default:
		digest = sha512.New
	}
	size := digest().Size()
	kind := strings.ToLower(strings.Trim(prefix, "{}")) + "-digest"
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != size {
		if sum, err = base64.StdEncoding.DecodeString(text); err != nil {
			sum, err = base64.RawStdEncoding.DecodeString(text)
		}
	}
	if err != nil || len(sum) < size || len(sum) > size+maxKey || len(sum) > size != (prefix == "{SSHA}") {
		return Hash{}, damaged(kind)
	}
	salt, sum := sum[size:], sum[:size]
	return Hash{Kind: kind, Weak: true, Decoy: prefix + blank(base64.StdEncoding, size+len(salt)),
		matches: func(p string) bool {
			d := digest()
			d.Write([]byte(p))
			d.Write(salt)
			return sameBytes(d.Sum(nil), sum)
		}}, nil
}
