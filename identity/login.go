package identity

import (
	"context"
)

// Method is how somebody proves who they are; the audit record has it.
type Method string

// The methods.
const (
	MethodPassword    Method = "password" // a password, or a token in the password's place
	MethodForm        Method = "form"     // the web's log-in form: no tokens
	MethodPlain       Method = "plain"    // SASL PLAIN
	MethodSCRAMSHA256 Method = "scram-sha-256"
	MethodSCRAMSHA1   Method = "scram-sha-1"
	MethodBearer      Method = "bearer" // a token alone: HTTP bearer, SASL OAUTHBEARER
	MethodAnonymous   Method = "anonymous"
)

// Login is what a client claims. Secret is a password or, except with MethodForm, the wire form
// of a token.
type Login struct {
	Method Method
	Name   string // as the client sent it: login, alias or login@domain; may be "" with MethodBearer
	Domain string // of the stream or virtual host; "" is the default domain
	Secret Secret
}

// Anonymous is what an anonymous client sends: FTP USER and PASS; both "" on the other roads.
type Anonymous struct {
	Name  string
	Email string // the "password"
}

// Login checks everything in one order for every road: class, throttle, lookup (alias, domain),
// secret, disabled or expired, road allowed for this user and level, second factor, session
// limits; then it attaches the credentials to the session that Registry.Open made, audited.
// It waits out the throttle's delay itself, within ctx. Unknown user and wrong password cost
// the same time and give the same error. A session that has credentials already is an error
// (ErrInvalid): roads Forget first where their protocol allows a second log-in.
func (s *Service) Login(ctx context.Context, ses *Session, l Login) (Credentials, error) {
	return s.login(ctx, ses, l)
}

// LoginAnonymous gives the session LevelAnonymous, where policy lets this road have it.
func (s *Service) LoginAnonymous(ctx context.Context, ses *Session, a Anonymous) (Credentials, error) {
	return s.loginAnonymous(ctx, ses, a)
}

// Forget takes the credentials off a session that goes on unauthenticated (FTP REIN, USER or
// AUTH after log-in).
func (s *Service) Forget(ses *Session) { s.forget(ses) }

// SCRAMHash names the hash of a SCRAM mechanism (RFC 5802, RFC 7677).
type SCRAMHash string

// The hashes. SHA-1 keys exist only where policy allows old clients.
const (
	SCRAMSHA1   SCRAMHash = "SHA-1"
	SCRAMSHA256 SCRAMHash = "SHA-256"
)

// SCRAM is a log-in in steps: the same door as Login, which ends in the same checks.
type SCRAM struct {
	Salt       []byte // stable for unknown names, too
	Iterations int

	attempt *attempt
}

// BeginSCRAM looks the name up and returns salt and iterations for the server's first message.
// An unknown name, or one without keys of this hash, gets a fake salt, always the same one, and
// fails in Finish as a wrong password does.
func (s *Service) BeginSCRAM(ctx context.Context, ses *Session, l Login, h SCRAMHash) (*SCRAM, error) {
	return s.beginSCRAM(ctx, ses, l, h)
}

// Finish checks the client's proof over authMessage (RFC 5802 section 3) against the account's
// key and those of its tokens, and returns the server's signature made with the key that
// matched.
func (x *SCRAM) Finish(ctx context.Context, authMessage, proof []byte) (Credentials, []byte, error) {
	return x.finish(ctx, authMessage, proof)
}
