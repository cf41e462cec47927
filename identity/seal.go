package identity

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealForm is the first byte of a sealed record: XChaCha20-Poly1305, random nonce.
const sealForm = 1

// sealer keeps the password records readable for this server alone. Keys for other uses are
// derived from the same one.
type sealer struct {
	records cipher.AEAD
	salts   []byte // keys the fake salts of unknown names
	names   []byte // keys the names that the throttle counts
	roads   []byte // what DeriveKey derives from
	audit   []byte // signs the head of the audit log
	devices []byte // keys the hashes of known devices
}

func newSealer(key []byte) (*sealer, error) {
	if len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("the seal key has %d bytes instead of %d: %w", len(key), chacha20poly1305.KeySize, ErrInvalid)
	}
	derive := func(use string) []byte {
		k, err := hkdf.Key(sha256.New, key, nil, "trivium identity "+use, sha256.Size)
		if err != nil {
			return nil // only for lengths that HKDF cannot make
		}
		return k
	}
	aead, err := chacha20poly1305.NewX(derive("password records"))
	if err != nil {
		return nil, fmt.Errorf("preparing the seal: %w", err)
	}
	return &sealer{records: aead, salts: derive("fake salts"), names: derive("names"), roads: derive("roads"),
		devices: derive("devices"), audit: derive("audit log")}, nil
}

// DeriveKey returns the key of 32 bytes that a road uses for what use names. It hangs on the seal
// key alone: the same after each start, and nothing in the store leads to it.
func (s *Service) DeriveKey(use string) []byte { return keyed(s.seal.roads, use) }

// seal hides plain; the record opens only for the same account.
func (s *sealer) seal(id UserID, plain []byte) Record {
	nonce := make([]byte, s.records.NonceSize(), s.records.NonceSize()+len(plain)+s.records.Overhead()+1)
	_, _ = rand.Read(nonce) // never fails, as its documentation says
	out := append([]byte{sealForm}, nonce...)
	return Record{Sealed: s.records.Seal(out, nonce, plain, []byte(id))}
}

var errSeal = errors.New("the password record cannot be read: it was sealed with another seal key, or damaged")

func (s *sealer) open(id UserID, r Record) ([]byte, error) {
	n := 1 + s.records.NonceSize()
	if len(r.Sealed) < n || r.Sealed[0] != sealForm {
		return nil, errSeal
	}
	plain, err := s.records.Open(nil, r.Sealed[1:n], r.Sealed[n:], []byte(id))
	if err != nil {
		return nil, errSeal
	}
	return plain, nil
}

// keyed is a keyed hash of texts that cannot run into one another.
func keyed(key []byte, texts ...string) []byte {
	m := hmac.New(sha256.New, key)
	for _, t := range texts {
		_, _ = fmt.Fprintf(m, "%d:%s", len(t), t)
	}
	return m.Sum(nil)
}

// sealSetting holds a hash of the seal key that the records of a store were sealed with.
const sealSetting = "seal_key"

// checkSeal says clearly where the seal key is not the one of the store, for then no password is right; the
// server goes on, as passwords can be set anew. The first start with a store notes its key.
func (s *Service) checkSeal(ctx context.Context) error {
	mine := hex.EncodeToString(keyed(s.seal.names, sealSetting))
	text, err := s.store.Setting(ctx, sealSetting)
	switch {
	case errors.Is(err, ErrNotFound):
		err = s.store.Write(ctx, func(w StoreWriter) error { return w.PutSetting(ctx, sealSetting, mine) })
		if err != nil {
			s.log.Warn("which seal key the store has was not noted", "err", err)
		}
		return nil
	case err != nil:
		return err
	case text != mine:
		s.log.Error("seal.key is not the one that this store was written with: no password and no authenticator app can be checked. "+
			"Put that seal.key back from a backup of the data directory, or set the passwords anew", "event", "seal.other")
	}
	return nil
}
