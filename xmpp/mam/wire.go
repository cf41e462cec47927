package mam

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"trivium/identity"
)

// Wire makes ids of archives for clients, and reads them. XEP-0313 section 3 wants ids that nobody
// can predict, and XEP-0359 section 6 that they tell nothing: an id goes out enciphered together
// with whose archive it is for. So the ids of one message in two archives have nothing in common,
// and what was made for another archive, or by nobody, is no id.
type Wire struct{ block cipher.Block }

// NewWire makes one with a key of 32 bytes.
func NewWire(key []byte) (Wire, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return Wire{}, fmt.Errorf("the key of the archive's ids: %w", err)
	}
	return Wire{block}, nil
}

const wireLen = 22 // of 16 bytes in base64

// Text is the id of a message in the archive of owner.
func (w Wire) Text(owner identity.UserID, id ID) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(id))
	mark := ownerMark(owner)
	copy(b[8:], mark[:])
	w.block.Encrypt(b[:], b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Parse reads what Text made for the archive of owner; false where it did not.
func (w Wire) Parse(owner identity.UserID, text string) (ID, bool) {
	if len(text) != wireLen {
		return 0, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return 0, false
	}
	w.block.Decrypt(b, b)
	id := ID(binary.BigEndian.Uint64(b))
	return id, [8]byte(b[8:]) == ownerMark(owner) && id > 0
}

func ownerMark(owner identity.UserID) (mark [8]byte) {
	sum := sha256.Sum256([]byte(owner))
	copy(mark[:], sum[:])
	return mark
}
