package xmpp

import (
	"context"
	"crypto/tls"
	"log/slog"

	"trivium/config"
	"trivium/identity"
)

// Identity is what xmpp needs of identity.Service.
type Identity interface {
	Login(ctx context.Context, ses *identity.Session, l identity.Login) (identity.Credentials, error)
	LoginAnonymous(ctx context.Context, ses *identity.Session, a identity.Anonymous) (identity.Credentials, error)
	BeginSCRAM(ctx context.Context, ses *identity.Session, l identity.Login, h identity.SCRAMHash) (*identity.SCRAM, error)
	Allowed(ses *identity.Session, r identity.Resource) bool
	User(ctx context.Context, name string) (identity.Account, error)
}

// Registry is what xmpp needs of identity.Registry.
type Registry interface {
	Open(ctx context.Context, o identity.Opening) (*identity.Session, error)
}

// Options is what New needs.
type Options struct {
	Config   config.XMPP
	Limits   config.Limits
	Domains  []string // the first is the default
	Identity Identity
	Registry Registry
	Store    Store
	TLS      *tls.Config // nil: no TLS, so no log-in but where Config.TLS is optional
	Log      *slog.Logger
	Version  string // of this program, for XEP-0092
}
