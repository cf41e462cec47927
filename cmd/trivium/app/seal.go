package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
	_, _ = rand.Read(key) // crypto/rand does not fail: it ends the process
	if err := putFile(path, key); err != nil {
		return nil, fmt.Errorf("cannot write the seal key: %w", err)
	}
	return key, nil
}

// auditHeadFile keeps where the audit log ended, outside of the store.
const auditHeadFile = "audit.head"

// auditHead reads the head of the audit log that was kept last; "" where none was.
func auditHead(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, auditHeadFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the kept head of the audit log: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func keepAuditHead(dir, head string) error {
	return putFile(filepath.Join(dir, auditHeadFile), []byte(head+"\n"))
}

// putFile writes a file of mode 0600 whole or not at all.
func putFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone after the rename
	_, err = f.Write(b)
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
	return err
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
