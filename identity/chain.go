package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The audit log is a chain: each row holds the SHA-256 of the one before and of itself, and the
// head, an HMAC with a key from the seal key, says where the chain ends. So a row that is changed,
// removed, added or moved does not fit its neighbours, and whoever writes to the database without
// the seal key can make no chain anew. docs/audit.md has the exact bytes.

// AuditRow is an event with its place in the chain.
type AuditRow struct {
	AuditEvent
	Chain []byte // SHA-256 over the one before and the row; nil in rows from before there was a chain
}

// AuditHead is the end of the chain.
type AuditHead struct {
	Began int64  // the highest ID that the chain does not prove: of rows from before there was one
	ID    int64  // of the newest row; IDs have no gaps
	Chain []byte // of that row; nil while there is none
	MAC   []byte // over the fields above; nil in a store that nobody has appended to
}

// AuditGap are rows that have been removed because they were old enough. What is left is proven
// from its end on.
type AuditGap struct {
	First, Last   int64 // IDs
	At            time.Time
	Before, After []byte // the chain of the row before the first, and of the last
	MAC           []byte
}

// chainForm begins what is hashed, so that another form never gives the same bytes.
const chainForm = "trivium audit 1"

// link is the chain of e, which follows a row whose chain is prev. It keeps no reference to buf,
// whose space it uses.
func link(prev []byte, e *AuditEvent, buf []byte) (sum [sha256.Size]byte, _ []byte) {
	b := append(buf[:0], chainForm...)
	b = appendText(b, string(prev))
	b = binary.BigEndian.AppendUint64(b, uint64(e.ID))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time.UnixMicro()))
	for _, s := range [...]string{e.Event, e.Actor, e.Via, e.Subject, string(e.Protocol), string(e.Method), e.Remote, e.Session,
		e.Result, e.Detail, e.Before, e.After} {
		b = appendText(b, s)
	}
	return sha256.Sum256(b), b
}

// appendText writes the length before the bytes, so that no two lists of texts are alike.
func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// signer makes the MACs of heads and gaps. One goroutine uses it at a time.
type signer struct{ mac hash.Hash }

func newSigner(key []byte) *signer { return &signer{hmac.New(sha256.New, key)} }

func (g *signer) sign(what string, numbers []int64, chains ...[]byte) []byte {
	b := append(make([]byte, 0, 256), chainForm+" "+what...)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, c := range chains {
		b = appendText(b, string(c))
	}
	g.mac.Reset()
	_, _ = g.mac.Write(b) // a hash takes everything
	return g.mac.Sum(nil)
}

func (g *signer) head(h AuditHead) []byte {
	return g.sign("head", []int64{h.Began, h.ID}, h.Chain)
}

func (g *signer) gap(p AuditGap) []byte {
	return g.sign("gap", []int64{p.First, p.Last, p.At.UnixMicro()}, p.Before, p.After)
}

// genuine reports whether a head was made with the key, or is that of a store that nobody has
// appended to.
func (g *signer) genuine(h AuditHead) bool {
	if h.fresh() {
		return true
	}
	return hmac.Equal(h.MAC, g.head(h))
}

// fresh reports whether the chain is still to begin.
func (h AuditHead) fresh() bool { return len(h.MAC) == 0 && len(h.Chain) == 0 && h.Began == h.ID }

// same reports whether two heads are the same place of the same chain.
func (h AuditHead) same(o AuditHead) bool {
	return h.Began == o.Began && h.ID == o.ID && bytes.Equal(h.Chain, o.Chain)
}

// String is the head as one word, to be noted down outside of the database: it proves later that
// the log still holds every row up to it.
func (h AuditHead) String() string {
	return strings.Join([]string{"audit1", strconv.FormatInt(h.Began, 10), strconv.FormatInt(h.ID, 10), hex.EncodeToString(h.Chain), hex.EncodeToString(h.MAC)}, ":")
}

// ParseAuditHead reads what String wrote; the error wraps ErrInvalid.
func ParseAuditHead(s string) (AuditHead, error) {
	var h AuditHead
	part := strings.Split(strings.TrimSpace(s), ":")
	wrong := faultf(ErrInvalid, "this is not the head of an audit log; one looks like audit1:0:42:…:…")
	if len(part) != 5 || part[0] != "audit1" {
		return h, wrong
	}
	var err [4]error
	h.Began, err[0] = strconv.ParseInt(part[1], 10, 64)
	h.ID, err[1] = strconv.ParseInt(part[2], 10, 64)
	h.Chain, err[2] = hex.DecodeString(part[3])
	h.MAC, err[3] = hex.DecodeString(part[4])
	for _, e := range err {
		if e != nil {
			return AuditHead{}, wrong
		}
	}
	if h.Began < 0 || h.ID < h.Began || len(h.Chain) != sha256.Size || len(h.MAC) != sha256.Size {
		return AuditHead{}, wrong
	}
	return h, nil
}

// Host is the address in Remote, which may have a port; the zero address where there is none.
func (e AuditEvent) Host() netip.Addr {
	if p, err := netip.ParseAddrPort(e.Remote); err == nil {
		return p.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(e.Remote)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
