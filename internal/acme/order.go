package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// obtain gets a certificate for a name and takes it into use (RFC 8555 section 7.1). replaces is the one that
// it is to follow, nil where there is none. renew is when the authority wants the next, the zero time where
// it does not say.
func (m *Manager) obtain(ctx context.Context, name string, replaces *x509.Certificate) (renew time.Time, err error) {
	who, err := m.account(ctx)
	if err != nil {
		return renew, err
	}
	order, err := m.prove(ctx, who, name, replaces)
	if p, ok := problemOf(err); ok && p.Type == acme.ProblemTypeAccountDoesNotExist {
		if err := m.forgetAccount(); err != nil {
			return renew, err
		}
		if who, err = m.account(ctx); err != nil {
			return renew, err
		}
		order, err = m.prove(ctx, who, name, replaces)
	}
	if err != nil {
		return renew, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return renew, err
	}
	csr, err := acmez.NewCSR(key, []string{name})
	if err != nil {
		return renew, err
	}
	if order, err = m.client.FinalizeOrder(ctx, who, order, csr.Raw); err != nil {
		return renew, err
	}
	chains, err := m.client.GetCertificateChain(ctx, who, order.Certificate)
	if err != nil {
		return renew, err
	}
	text, err := keyPEM(key)
	if err != nil {
		return renew, err
	}
	if len(chains) == 0 {
		return renew, &fault{"unusable", "there is no certificate in the answer"}
	}
	chain := chains[0].ChainPEM // the one that the authority prefers
	pair, err := tls.X509KeyPair(chain, text)
	if err == nil {
		err = pair.Leaf.VerifyHostname(name)
	}
	if err != nil {
		return renew, &fault{"unusable", clean(err.Error())}
	}
	if err := m.opt.Certificates.Keep(name, chain, text); err != nil {
		return renew, &fault{"disk", clean(err.Error())}
	}
	if info := chains[0].RenewalInfo; info != nil {
		renew = info.SelectedTime
	}
	return renew, nil
}

// prove makes an order and shows that the name leads here, by one challenge after the other: a failed one
// ends an order, so the next has an order of its own. The error is that of the first.
func (m *Manager) prove(ctx context.Context, who acme.Account, name string, replaces *x509.Certificate) (acme.Order, error) {
	var first error
	for _, via := range m.via {
		order, err := m.proveBy(ctx, who, name, via, replaces)
		if err == nil {
			return order, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil || !worthAnother(err) {
			break
		}
	}
	if first == nil {
		first = &fault{"challenge", "no listener can answer"}
	}
	return acme.Order{}, first
}

// worthAnother reports whether another challenge may do where one has failed so.
func worthAnother(err error) bool {
	var f *fault
	if errors.As(err, &f) {
		return f.Code == "challenge"
	}
	p, ok := problemOf(err)
	return ok && slices.Contains([]string{acme.ProblemTypeConnection, acme.ProblemTypeTLS, acme.ProblemTypeUnauthorized, acme.ProblemTypeIncorrectResponse}, p.Type)
}

func (m *Manager) proveBy(ctx context.Context, who acme.Account, name, via string, replaces *x509.Certificate) (acme.Order, error) {
	order, err := m.newOrder(ctx, who, name, replaces)
	if err != nil {
		return order, err
	}
	for _, url := range order.Authorizations {
		if err := m.authorize(ctx, who, name, via, url); err != nil {
			return order, err
		}
	}
	return order, nil
}

// newOrder says which certificate it replaces, where the authority wants to know (RFC 9773 section 5).
func (m *Manager) newOrder(ctx context.Context, who acme.Account, name string, replaces *x509.Certificate) (acme.Order, error) {
	plain := acme.Order{Identifiers: []acme.Identifier{{Type: "dns", Value: name}}}
	dir, err := m.client.GetDirectory(ctx)
	if err != nil {
		return plain, err
	}
	if replaces != nil && dir.RenewalInfo != "" {
		if id, err := acme.ARIUniqueIdentifier(replaces); err == nil {
			with := plain
			with.Replaces = id
			order, err := m.client.NewOrder(ctx, who, with)
			if p, ok := problemOf(err); err == nil || !ok || p.Type == acme.ProblemTypeRateLimited || p.Type == acme.ProblemTypeAccountDoesNotExist {
				return order, err
			}
			// It was replaced already, or comes from elsewhere: that must stop nobody.
		}
	}
	return m.client.NewOrder(ctx, who, plain)
}

// authorize shows that a name leads here.
func (m *Manager) authorize(ctx context.Context, who acme.Account, name, via, url string) error {
	a, err := m.client.GetAuthorization(ctx, who, url)
	if err != nil {
		return err
	}
	if a.Status == acme.StatusValid { // it was shown lately
		return nil
	}
	i := slices.IndexFunc(a.Challenges, func(c acme.Challenge) bool { return c.Type == via })
	if i < 0 {
		return &fault{"challenge", clean(fmt.Sprintf("it offers none of %v", m.via))}
	}
	end, err := m.answers.present(name, a.Challenges[i])
	if err != nil {
		return err
	}
	defer end()
	if _, err := m.client.InitiateChallenge(ctx, who, a.Challenges[i]); err != nil {
		return err
	}
	_, err = m.client.PollAuthorization(ctx, who, a)
	return err
}
