// Package provider lets people log in to other applications by their account here: it is the provider's
// half of OpenID Connect Core 1.0, by the authorization code flow alone.
//
// Done: Core 1.0 (code flow; prompt, max_age, login_hint, id_token_hint, acr_values; ID tokens by RS256 or
// ES256), Discovery 1.0, RFC 6749 (codes, refresh tokens), RFC 6750, RFC 7009 (revocation), RFC 7636 (PKCE,
// S256 alone), RFC 8414, RFC 9207 (iss in each answer), RP-Initiated Logout 1.0, Back-Channel Logout 1.0, and
// of RFC 9700 what concerns a provider: exact addresses, one-time codes and refresh tokens, whose second
// coming ends what they gave.
//
// Not done: implicit and hybrid flows, request objects, dynamic registration, pairwise subjects, the claims
// parameter, encrypted tokens, password and client credentials grants. Each is refused in its own words or
// not announced.
//
// The package speaks the protocol. Who may log in where, and what becomes of it when an account changes,
// identity decides and keeps; the pages that people see are web's.
package provider
