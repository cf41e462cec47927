package api

import (
	"context"
	"net/http"

	"trivium/identity"
)

type certificatesOut struct{ Body []identity.Certificate }

type certificateOut struct{ Body identity.Certificate }

type certificateIn struct {
	Named
	Fingerprint string `path:"fingerprint" doc:"SHA-256 in hexadecimal"`
}

type ownCertificateIn struct {
	Fingerprint string `path:"fingerprint" doc:"SHA-256 in hexadecimal"`
}

// newCertificate is a certificate that is to log in.
type newCertificate struct {
	PEM     string `json:"pem" maxLength:"65536" doc:"the certificate, without its key"`
	Label   string `json:"label,omitempty" maxLength:"128" doc:"empty: the name in the certificate"`
	Manages bool   `json:"manages,omitempty" doc:"a log-in by it alone may add and remove certificates"`
}

// registerCertificates are the client certificates of accounts.
func (a *API) registerCertificates() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/me/certificates", "my-certificates", "List one's own client certificates", a.myCertificates)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/me/certificates", "add-my-certificate", "Add a client certificate of one's own, not with a token", a.addMyCertificate)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/me/certificates/{fingerprint}", "remove-my-certificate", "Remove one of one's own client certificates and end what it opened, not with a token", a.removeMyCertificate)
	handle(a, identity.LevelAdmin, http.MethodGet, "/users/{name}/certificates", "list-certificates", "List the client certificates of an account", a.listCertificates)
	tagged(a, identity.LevelAdmin, http.MethodPost, "/users/{name}/certificates", "add-certificate", "Add a client certificate to an account", a.userIn, a.addCertificate)
	tagged(a, identity.LevelAdmin, http.MethodDelete, "/users/{name}/certificates/{fingerprint}", "remove-certificate", "Remove a client certificate of an account and end what it opened", a.userIn, a.removeCertificate)
}

func (a *API) myCertificates(ctx context.Context, _ *struct{}) (*certificatesOut, error) {
	acc, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	return a.certificatesOf(ctx, acc)
}

func (a *API) listCertificates(ctx context.Context, in *Named) (*certificatesOut, error) {
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return a.certificatesOf(ctx, acc)
}

func (a *API) certificatesOf(ctx context.Context, acc identity.Account) (*certificatesOut, error) {
	list, err := a.id.Certificates(ctx, string(acc.Login)+"@"+acc.Domain)
	return &certificatesOut{list}, err
}

func (a *API) addMyCertificate(ctx context.Context, in *struct{ Body newCertificate }) (*certificateOut, error) {
	acc, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	return a.putCertificate(ctx, acc, in.Body)
}

func (a *API) addCertificate(ctx context.Context, in *struct {
	Named
	Body newCertificate
}) (*certificateOut, error) {
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return a.putCertificate(ctx, acc, in.Body)
}

func (a *API) putCertificate(ctx context.Context, acc identity.Account, n newCertificate) (*certificateOut, error) {
	if err := a.keeps(ctx, acc); err != nil {
		return nil, err
	}
	der, err := identity.ParseCertificatePEM([]byte(n.PEM))
	if err != nil {
		return nil, err
	}
	c, err := a.id.AddCertificate(ctx, who(ctx).actor, string(acc.Login)+"@"+acc.Domain, identity.NewCertificate{Label: n.Label, DER: der, Manages: n.Manages})
	return &certificateOut{c}, err
}

// keeps refuses to let a token give its owner's account another way in.
func (a *API) keeps(ctx context.Context, acc identity.Account) error {
	c := who(ctx)
	switch {
	case c.session == nil || acc.ID != c.owner: // the machine's owner, or an administrator
		return nil
	case c.grant != nil:
		return wider("the certificates of its owner")
	}
	return a.id.MayManageCertificates(c.session)
}

func (a *API) removeMyCertificate(ctx context.Context, in *ownCertificateIn) (*nothing, error) {
	acc, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	return a.dropCertificate(ctx, acc, in.Fingerprint)
}

func (a *API) removeCertificate(ctx context.Context, in *certificateIn) (*nothing, error) {
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return a.dropCertificate(ctx, acc, in.Fingerprint)
}

func (a *API) dropCertificate(ctx context.Context, acc identity.Account, fingerprint string) (*nothing, error) {
	if err := a.keeps(ctx, acc); err != nil {
		return nil, err
	}
	_, err := a.id.RemoveCertificate(ctx, who(ctx).actor, string(acc.Login)+"@"+acc.Domain, fingerprint, false)
	return nil, err
}
