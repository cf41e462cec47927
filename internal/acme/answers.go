package acme

import (
	"crypto/tls"
	"net"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// The challenges that are answered.
const (
	viaHTTP = acme.ChallengeTypeHTTP01
	viaTLS  = acme.ChallengeTypeTLSALPN01
)

// Answers are what the authority is told while it looks whether a name leads here. The zero value has none.
// Its methods may be called from any goroutine.
type Answers struct {
	mu   sync.RWMutex
	http map[string]keyAuthorization // by token
	tls  map[string]*tls.Certificate // by name
}

type keyAuthorization struct{ name, text string }

// KeyAuthorization answers HTTP-01 (RFC 8555 section 8.3): what stands at a token of a host, which may have
// a port.
func (a *Answers) KeyAuthorization(host, token string) (string, bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	k, ok := a.http[token]
	if !ok || !strings.EqualFold(strings.TrimSuffix(host, "."), k.name) {
		return "", false
	}
	return k.text, true
}

// Certificate answers TLS-ALPN-01 (RFC 8737 section 3): the certificate for a name that the authority asks
// for right now, nil for any other.
func (a *Answers) Certificate(name string) *tls.Certificate {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.tls[strings.ToLower(strings.TrimSuffix(name, "."))]
}

// present answers a challenge for a name until the function that it returns is called.
func (a *Answers) present(name string, c acme.Challenge) (func(), error) {
	c.Identifier = acme.Identifier{Type: "dns", Value: name}
	var cert *tls.Certificate
	if c.Type == viaTLS {
		var err error
		if cert, err = acmez.TLSALPN01ChallengeCert(c); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if cert != nil {
		if a.tls == nil {
			a.tls = map[string]*tls.Certificate{}
		}
		a.tls[name] = cert
	} else {
		if a.http == nil {
			a.http = map[string]keyAuthorization{}
		}
		a.http[c.Token] = keyAuthorization{name, c.KeyAuthorization}
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if cert != nil {
			delete(a.tls, name)
		} else {
			delete(a.http, c.Token)
		}
	}, nil
}
