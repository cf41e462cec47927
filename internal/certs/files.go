package certs

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxPEM bounds what is read of a PEM file: far more than any chain, far less than a mistaken
// path to something huge.
const maxPEM = 1 << 20

// fault is an error whose text says all of its cause that a person needs.
type fault struct {
	text  string
	cause error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.cause }

// readPair reads a certificate chain and its key. Errors name the file and the remedy.
func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	certPEM, err := readPEM("certificate", "tls.cert", certFile)
	if err != nil {
		return nil, err
	}
	keyPEM, err := readPEM("key", "tls.key", keyFile)
	if err != nil {
		return nil, err
	}
	if !hasBlock(certPEM, "CERTIFICATE") {
		return nil, fmt.Errorf("the file %s holds no certificate. Set tls.cert to a PEM file with a BEGIN CERTIFICATE line", certFile)
	}
	if !hasBlock(keyPEM, "PRIVATE KEY") {
		return nil, fmt.Errorf("the file %s holds no private key. Set tls.key to a PEM file with a BEGIN PRIVATE KEY line", keyFile)
	}
	if hasBlock(keyPEM, "ENCRYPTED PRIVATE KEY") || bytes.Contains(keyPEM, []byte("Proc-Type: 4,ENCRYPTED")) {
		return nil, fmt.Errorf("the key in %s is locked with a passphrase. Write an unlocked copy with `openssl pkey -in %s -out key.pem`, mode 0600, and set tls.key to it", keyFile, keyFile)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	switch {
	case err == nil:
		return &cert, nil
	case strings.Contains(err.Error(), "does not match"): // crypto/tls has no sentinel for it
		return nil, fmt.Errorf("the key in %s does not belong to the certificate in %s. Set tls.cert and tls.key to a pair; the file of a chain begins with the server's own certificate", keyFile, certFile)
	}
	return nil, fmt.Errorf("the certificate in %s with the key in %s cannot be used: %w. Set tls.cert and tls.key to a PEM pair", certFile, keyFile, err)
}

func readPEM(what, option, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, readError(what, option, path, err)
	}
	defer f.Close() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, readError(what, option, path, err)
	}
	if len(data) > maxPEM {
		return nil, fmt.Errorf("the %s %s is larger than 1 MiB, so it is no PEM file. Set %s to the right file", what, path, option)
	}
	return data, nil
}

func readError(what, option, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &fault{fmt.Sprintf("the %s %s does not exist. Set %s to the right file", what, path, option), err}
	case errors.Is(err, fs.ErrPermission):
		return &fault{fmt.Sprintf("the %s %s cannot be read: permission denied. Let the server's user read it, or set %s to a copy", what, path, option), err}
	}
	return fmt.Errorf("the %s %s cannot be read: %w. Set %s to the right file", what, path, err, option)
}

// hasBlock reports whether data has a PEM block whose type ends with kind.
func hasBlock(data []byte, kind string) bool {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return false
		}
		if strings.HasSuffix(b.Type, kind) {
			return true
		}
	}
}
