package tokens

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Prefix begins every token on the wire (RFC 8959 section 2).
const Prefix = "secret-token:"

const (
	version    = 1
	idSize     = 12
	secretSize = 24
	headSize   = 1 + idSize + secretSize
	maxJID     = 3071 // bytes, RFC 7622 section 3.1
	maxWire    = len(Prefix) + (headSize+maxJID)*4/3 + 4
)

// wire is a token taken apart.
type wire struct {
	id     [idSize]byte
	secret [secretSize]byte
	jid    string
}

func newWire(jid string) wire {
	w := wire{jid: jid}
	_, _ = rand.Read(w.id[:]) // crypto/rand does not fail: it ends the process
	_, _ = rand.Read(w.secret[:])
	return w
}

// ID is the form in which lists and commands name the token.
func (w wire) ID() string { return hex.EncodeToString(w.id[:]) }

func (w wire) String() string {
	b := make([]byte, 0, headSize+len(w.jid))
	b = append(b, version)
	b = append(b, w.id[:]...)
	b = append(b, w.secret[:]...)
	b = append(b, w.jid...)
	return Prefix + base64.RawURLEncoding.EncodeToString(b)
}

// parse reads the wire form; there is one spelling of each token, so that any changed character
// is refused.
func parse(s string) (wire, bool) {
	rest, ok := strings.CutPrefix(s, Prefix)
	if !ok || len(s) > maxWire {
		return wire{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(b) <= headSize || b[0] != version {
		return wire{}, false
	}
	var w wire
	copy(w.id[:], b[1:])
	copy(w.secret[:], b[1+idSize:])
	w.jid = string(b[headSize:])
	// DecodeString passes over CR and LF, so the text is compared with its one right spelling.
	if !utf8.ValidString(w.jid) || strings.Count(w.jid, "@") != 1 || w.String() != s {
		return wire{}, false
	}
	return w, true
}
