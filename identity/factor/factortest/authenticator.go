// Package factortest is an authenticator in memory, for tests of what answers it.
package factortest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// Key is a passkey in an authenticator (WebAuthn Level 3 section 6). What a test sets makes it lie.
type Key struct {
	ID, Handle []byte
	Counter    uint32
	RP, Origin string
	NoUser     bool   // without user verification
	Type       string // of the client data, in the place of the right one
	Leave      bool   // no user handle in the answer

	key *ecdsa.PrivateKey
	t   testing.TB
}

// New makes a key that belongs to nobody yet.
func New(t testing.TB, rp, origin string) *Key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 20)
	_, _ = rand.Read(id) // never fails, as its documentation says
	return &Key{ID: id, RP: rp, Origin: origin, key: k, t: t}
}

// Clone is a copy of the key, as a thief has it.
func (k *Key) Clone() *Key { c := *k; return &c }

// The flags of authenticator data (section 6.1).
const (
	present  = 1
	verified = 1 << 2
	attested = 1 << 6
)

func (k *Key) data(flags byte) []byte {
	if flags |= present; !k.NoUser {
		flags |= verified
	}
	rp := sha256.Sum256([]byte(k.RP))
	return binary.BigEndian.AppendUint32(append(rp[:], flags), k.Counter)
}

func (k *Key) client(typ, challenge string) []byte {
	if k.Type != "" {
		typ = k.Type
	}
	return k.json(map[string]any{"type": typ, "challenge": challenge, "origin": k.Origin, "crossOrigin": false})
}

func (k *Key) json(v any) []byte {
	k.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	return b
}

func (k *Key) cbor(v any) []byte {
	k.t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	return b
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Create answers the options of navigator.credentials.create.
func (k *Key) Create(options []byte) []byte {
	k.t.Helper()
	var o struct {
		PublicKey struct {
			Challenge string
			User      struct{ ID string }
		} `json:"publicKey"`
	}
	if err := json.Unmarshal(options, &o); err != nil || o.PublicKey.Challenge == "" {
		k.t.Fatalf("options %s: %v", options, err)
	}
	var err error
	if k.Handle, err = base64.RawURLEncoding.DecodeString(o.PublicKey.User.ID); err != nil {
		k.t.Fatal(err)
	}
	pub, err := k.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		k.t.Fatal(err)
	}
	const size = 32
	cose := k.cbor(map[int]any{1: 2, 3: -7, -1: 1, -2: pub[1 : 1+size], -3: pub[1+size:]}) // RFC 9053 section 7.1.1
	data := append(k.data(attested), make([]byte, 16)...)                                  // no model
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID)))
	data = append(append(data, k.ID...), cose...)
	return k.json(map[string]any{"id": text(k.ID), "rawId": text(k.ID), "type": "public-key", "response": map[string]any{
		"clientDataJSON":    text(k.client("webauthn.create", o.PublicKey.Challenge)),
		"attestationObject": text(k.cbor(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})),
	}})
}

// Get answers the options of navigator.credentials.get, with the counter one higher.
func (k *Key) Get(options []byte) []byte {
	k.t.Helper()
	var o struct {
		PublicKey struct{ Challenge string } `json:"publicKey"`
	}
	if err := json.Unmarshal(options, &o); err != nil || o.PublicKey.Challenge == "" {
		k.t.Fatalf("options %s: %v", options, err)
	}
	k.Counter++
	data, client := k.data(0), k.client("webauthn.get", o.PublicKey.Challenge)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, k.key, sum[:])
	if err != nil {
		k.t.Fatal(err)
	}
	answer := map[string]any{"clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(sig)}
	if !k.Leave {
		answer["userHandle"] = text(k.Handle)
	}
	return k.json(map[string]any{"id": text(k.ID), "rawId": text(k.ID), "type": "public-key", "response": answer})
}
