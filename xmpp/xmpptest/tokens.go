package xmpptest

import (
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
	"trivium/xmpp"
)

// StartWithTokens is Start with the real service of tokens, of which modules makes the modules, and
// with certificates of clients.
func StartWithTokens(t testing.TB, modules func(svc *identity.Service, issued *tokens.Service) []xmpp.Module) (*Site, *tokens.Service) {
	t.Helper()
	var verifier *tokens.Verifier
	var issued *tokens.Service
	site := Start(t, Options{
		Tables: []sqltest.Migrate{tokenstore.Migrate},
		XMPP:   func(o *xmpp.Options) { o.Config.ClientCertificates = true },
		Prepare: func(db *sqldb.DB, o *identity.Options) {
			verifier = tokens.NewVerifier(tokenstore.New(db), nil)
			o.Tokens = verifier
		},
		Modules: func(_ *sqldb.DB, svc *identity.Service) []xmpp.Module {
			issued = tokens.New(verifier, svc, Host)
			return modules(svc, issued)
		},
	})
	return site, issued
}
