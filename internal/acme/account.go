package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mholt/acmez/v3/acme"
)

// account is what is kept of an account at an authority.
type account struct {
	Directory string   `json:"directory"`
	Location  string   `json:"location"`
	Contact   []string `json:"contact"`
	Key       string   `json:"key"` // PEM, PKCS #8
}

// accountFile is where the account at the directory is kept: each authority has one of its own, and so has
// each key that accounts there are bound to.
func (m *Manager) accountFile() string {
	of := m.opt.Directory
	if id := m.opt.Binding.KeyID; id != "" {
		of += "\n" + id
	}
	sum := sha256.Sum256([]byte(of))
	return filepath.Join(m.opt.Dir, "account-"+hex.EncodeToString(sum[:6])+".json")
}

// account is the one that is kept, or a new one (RFC 8555 section 7.3). To ask for it is to agree with the
// terms of the authority, as the configuration says.
func (m *Manager) account(ctx context.Context) (acme.Account, error) {
	kept, key, err := m.keptAccount()
	if err != nil {
		return acme.Account{}, err
	}
	want := acme.Account{Contact: m.contact(), TermsOfServiceAgreed: true, PrivateKey: key}
	if kept.Location != "" {
		have := acme.Account{Status: acme.StatusValid, Location: kept.Location, Contact: kept.Contact, PrivateKey: key}
		if len(want.Contact) == 0 || slices.Equal(kept.Contact, want.Contact) {
			return have, nil
		}
		have.Contact = want.Contact
		if have, err = m.client.UpdateAccount(ctx, have); err != nil {
			return have, err
		}
		have.Location, have.PrivateKey, kept.Contact = kept.Location, key, want.Contact
		return have, m.keepAccount(kept, key)
	}
	// The key is on disk before the authority knows it: what is lost then is asked for again with the same.
	kept = account{Directory: m.opt.Directory}
	if err := m.keepAccount(kept, key); err != nil {
		return want, err
	}
	if err := m.bind(ctx, &want); err != nil {
		return want, err
	}
	have, err := m.client.NewAccount(ctx, want)
	if p, ok := problemOf(err); ok && m.opt.Binding.KeyID != "" && (p.Type == acme.ProblemTypeUnauthorized || p.Type == acme.ProblemTypeMalformed) {
		return have, &fault{"binding", clean(p.Detail)}
	}
	if err != nil {
		return have, err
	}
	if have.Location == "" || have.Status != acme.StatusValid {
		return have, &fault{"account", clean("the account is " + have.Status)}
	}
	kept.Location, kept.Contact = have.Location, want.Contact
	return have, m.keepAccount(kept, key)
}

// bind signs the key of a new account with the one that the authority has given for it (RFC 8555 section 7.3.4).
func (m *Manager) bind(ctx context.Context, a *acme.Account) error {
	if m.opt.Binding.KeyID == "" {
		return nil
	}
	return a.SetExternalAccountBinding(ctx, m.client, acme.EAB{KeyID: m.opt.Binding.KeyID, MACKey: base64.RawURLEncoding.EncodeToString(m.opt.Binding.Key())})
}

func (m *Manager) contact() []string {
	if m.opt.Email == "" {
		return nil
	}
	return []string{"mailto:" + m.opt.Email}
}

// keptAccount reads the account; where there is none, it has a new key and nothing else.
func (m *Manager) keptAccount() (kept account, key crypto.Signer, err error) {
	data, err := os.ReadFile(m.accountFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return kept, key, err
	case err != nil:
		return kept, nil, &fault{"disk", clean(err.Error())}
	}
	if err := json.Unmarshal(data, &kept); err != nil {
		return kept, nil, &fault{"disk", clean(fmt.Sprintf("%s: %v", m.accountFile(), err))}
	}
	b, _ := pem.Decode([]byte(kept.Key))
	if b == nil {
		return kept, nil, &fault{"disk", m.accountFile() + " has no key"}
	}
	parsed, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return kept, nil, &fault{"disk", m.accountFile() + " has no key that can be read"}
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return kept, nil, &fault{"disk", m.accountFile() + " has no key that signs"}
	}
	return kept, key, nil
}

func (m *Manager) keepAccount(kept account, key crypto.Signer) error {
	text, err := keyPEM(key)
	if err != nil {
		return err
	}
	kept.Key = string(text)
	data, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	return m.write(m.accountFile(), data)
}

// forgetAccount lets the next order make an account anew: the authority does not know the kept one.
func (m *Manager) forgetAccount() error {
	kept, key, err := m.keptAccount()
	if err != nil {
		return err
	}
	kept.Location = ""
	return m.keepAccount(kept, key)
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// write replaces a file of the folder: readers see the old content or the new.
func (m *Manager) write(path string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = &fault{"disk", clean(err.Error())}
		}
	}()
	if err := os.MkdirAll(m.opt.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(m.opt.Dir, ".new.*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
