package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// grantTokenKind is what a token of an application is good for.
type grantTokenKind byte

// The kinds, each with a prefix of its own, by which a token that leaks is known for what it is.
const (
	codeToken    grantTokenKind = 'c'
	accessToken  grantTokenKind = 'a'
	refreshToken grantTokenKind = 'r'
)

const (
	grantIDBytes   = 12
	grantTokenMAC  = 24 // bytes: 192 bits
	grantTokenForm = 1
	grantTokenBody = 1 + 1 + grantIDBytes + 4 + 8
)

// grantToken is what a token says. It needs no row of its own: it is signed with a key that comes from
// the seal key, so nothing in the store leads to one, and is good while its grant is there.
type grantToken struct {
	kind       grantTokenKind
	grant      string // base64url of grantIDBytes
	generation uint32 // of the grant when it was made
	expires    time.Time
}

func newGrantID() string {
	var b [grantIDBytes]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (k grantTokenKind) prefix() string { return "tv" + string(rune(k)) + "_" }

// signGrantToken is the wire form.
func (s *sealer) signGrantToken(t grantToken) Secret {
	b := make([]byte, 0, grantTokenBody+grantTokenMAC)
	b = append(b, grantTokenForm, byte(t.kind))
	id, err := base64.RawURLEncoding.DecodeString(t.grant)
	if err != nil || len(id) != grantIDBytes {
		return Secret{} // no grant has such an ID
	}
	b = append(b, id...)
	b = binary.BigEndian.AppendUint32(b, t.generation)
	b = binary.BigEndian.AppendUint64(b, uint64(t.expires.Unix())) //nolint:gosec // after 1970
	b = append(b, s.grantMAC(b)...)
	return NewSecret(t.kind.prefix() + base64.RawURLEncoding.EncodeToString(b))
}

func (s *sealer) grantMAC(body []byte) []byte {
	return keyed(s.roads, "tokens of applications", string(body))[:grantTokenMAC]
}

// readGrantToken reads a token of one kind; false where it is none of ours. Whether it has expired and
// what became of its grant are other questions.
func (s *sealer) readGrantToken(kind grantTokenKind, text Secret) (grantToken, bool) {
	body, ok := strings.CutPrefix(text.Reveal(), kind.prefix())
	if !ok || len(body) != base64.RawURLEncoding.EncodedLen(grantTokenBody+grantTokenMAC) {
		return grantToken{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return grantToken{}, false
	}
	said, mac := b[:grantTokenBody], b[grantTokenBody:]
	if said[0] != grantTokenForm || said[1] != byte(kind) || !hmac.Equal(mac, s.grantMAC(said)) {
		return grantToken{}, false
	}
	said = said[2:]
	t := grantToken{kind: kind, grant: base64.RawURLEncoding.EncodeToString(said[:grantIDBytes])}
	said = said[grantIDBytes:]
	t.generation = binary.BigEndian.Uint32(said)
	t.expires = time.Unix(int64(binary.BigEndian.Uint64(said[4:])), 0) //nolint:gosec // we wrote it
	return t, true
}
