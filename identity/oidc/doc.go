// Package oidc lets people log in by a provider of OpenID Connect: it is the relying party's half
// of OpenID Connect Core 1.0, by the authorization code flow alone.
//
// Each attempt has a state, a nonce and a PKCE verifier of its own (RFC 7636, S256 always; RFC 9700
// section 2.1.1), which the caller keeps in the browser's session, uses once and forgets after ten
// minutes. An answer that names another issuer is refused (RFC 9207), and so is one that names none
// where the provider says that it does. ID tokens are signed with a public-key algorithm, for this
// client, and hold the nonce. Logout tokens are those of OpenID Connect Back-Channel Logout 1.0
// section 2.4; one that came before is refused.
//
// The provider's metadata and keys are read when they are first needed, so that a provider that is
// gone keeps no server from starting.
package oidc
