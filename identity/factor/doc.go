// Package factor makes and checks second factors with the libraries that know their formats; what
// they are worth identity decides.
//
//	RFC 6238               one-time codes: SHA-1, 6 digits, 30 s, as every authenticator app knows
//	WebAuthn Level 3       passkeys: sections 7.1 and 7.2; attestation is not asked for, user
//	                       verification and discoverable credentials always are
package factor
