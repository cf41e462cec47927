package sqlstore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"trivium/xmpp/mam"
)

// head begins the data of a message: who holds it, and what the index has to know of it.
type head struct {
	from, to       int64 // numbers of the archives that hold it; 0: none
	fromKind, kind int64 // the contact in the first archive and in the second
	key            int64 // by which it is known when it is sent again; 0: by nothing
}

const (
	headSize    = 41
	headVersion = 1
)

var errHead = errors.New("a message in the archive has a form that this program does not know")

func (h head) append(b []byte) []byte {
	b = append(b, headVersion)
	for _, n := range [...]int64{h.from, h.to, h.fromKind, h.kind, h.key} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// parseHead divides data into head and stanza.
func parseHead(data []byte) (h head, stanza []byte, err error) {
	if len(data) < headSize || data[0] != headVersion {
		return head{}, nil, errHead
	}
	for i, n := range [...]*int64{&h.from, &h.to, &h.fromKind, &h.kind, &h.key} {
		*n = int64(binary.LittleEndian.Uint64(data[1+8*i:]))
	}
	return h, data[headSize:], nil
}

// keeper is whose archive knows the key: the sender's, else the recipient's.
func (h head) keeper() int64 {
	if h.from != 0 {
		return h.from
	}
	return h.to
}

func (h head) in(owner int64) bool { return owner != 0 && (h.from == owner || h.to == owner) }

// kindIn is the kind of the runs with the contact in one archive.
func (h head) kindIn(owner int64) int64 {
	if h.from == owner {
		return h.fromKind
	}
	return h.kind
}

// Kinds of runs in the index.
const (
	kindAll  = 0
	kindSent = 1
)

// contactKind is the kind of the runs with one contact.
func contactKind(jid string) int64 {
	sum := sha256.Sum256([]byte(jid))
	k := int64(binary.LittleEndian.Uint64(sum[:]))
	if k == kindAll || k == kindSent {
		k += 2
	}
	return k
}

// keyOf is what a message that is sent again has in common with the first.
func keyOf(from, to, origin string) int64 {
	var buf [256]byte
	b := append(append(append(append(append(buf[:0], from...), 0), to...), 0), origin...)
	sum := sha256.Sum256(b)
	return int64(binary.LittleEndian.Uint64(sum[:]) | 1) // never 0
}

// sentKey is a key in the archive that knows it.
type sentKey struct{ keeper, key int64 }

// sent is an entry of a run of kindSent.
type sent struct {
	id  mam.ID
	key int64
}
