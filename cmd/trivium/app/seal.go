package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"trivium/config"
)

const sealKeySize = 32 // bytes: AES-256 or ChaCha20

// sealKey returns the key that seals the password records: that of config, else the file
// seal.key of the data directory, made at the first start. It lies outside of the store, so that
// a stolen database alone holds no hash to guess at.
func sealKey(cfg *config.Config) ([]byte, error) {
	if key := cfg.Identity.SealKeyBytes(); key != nil {
		return key, nil
	}
	path := filepath.Join(cfg.DataDir, "seal.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSealKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the seal key: %w", err)
	}
	if len(key) != sealKeySize {
		return nil, fmt.Errorf("%s has %d bytes and not %d: it is damaged. Put it back from a backup; without it no password can be checked", path, len(key), sealKeySize)
	}
	return key, nil
}

func makeSealKey(path string) ([]byte, error) {
	key := make([]byte, sealKeySize)
	_, _ = rand.Read(key)                                     // crypto/rand does not fail: it ends the process
	f, err := os.CreateTemp(filepath.Dir(path), "seal.key-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("cannot make the seal key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone after the rename
	_, err = f.Write(key)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write the seal key: %w", err)
	}
	return key, nil
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
