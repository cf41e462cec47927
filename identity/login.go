package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	MethodBearer      Method = "bearer"   // a token alone: HTTP bearer, SASL OAUTHBEARER
	MethodFAST        Method = "fast"     // a token of one client (XEP-0484)
	MethodExternal    Method = "external" // a client certificate (SASL EXTERNAL)
	MethodOIDC        Method = "oidc"     // a provider of OpenID Connect vouches for the person
	MethodAnonymous   Method = "anonymous"
	MethodPasskey     Method = "passkey" // WebAuthn, which is two factors at once
)

// Prover is what takes the secret's place with MethodFAST and MethodOIDC: evidence that its
// road keeps. Login asks it once, and decides on all else itself.
type Prover interface {
	// Prove reports by nil that the client has shown to be acc, and by an error that wraps
	// ErrCredentials that it has not. acc is nil for a name that nobody has: then it does the
	// same work and says no.
	Prove(ctx context.Context, acc *Account) error
}

// Login is what a client claims. Secret is a password or, except with MethodForm, the wire form
// of a token.
type Login struct {
	Method Method
	Name   string // as the client sent it: login, alias or login@domain; may be "" with MethodBearer
	Domain string // of the stream or virtual host; "" is the default domain
	Secret Secret
	Prover Prover // with MethodFAST and MethodOIDC, and then alone

	// Certificate is what the client has shown in its TLS handshake: with MethodExternal in the place of
	// the secret, where Name may be "", else beside it.
	Certificate Chain
	// Tentative is a log-in with MethodExternal for which nobody has asked: that the certificate is not
	// the account's is no failed attempt, and leaves no trace.
	Tentative bool
}

// Login checks everything in one order for every road: class, throttle, lookup (alias, domain),
// secret, disabled or expired, road allowed for this user and level, second factor, session
// limits; then it attaches the credentials to the session that Registry.Open made, audited.
// It waits out the throttle's delay itself, within ctx. Unknown user and wrong password cost
// the same time and give the same error. A session that has credentials already is an error
// (ErrInvalid): roads Forget first where their protocol allows a second log-in.
func (s *Service) Login(ctx context.Context, ses *Session, l Login) (Credentials, error) {
	a, err := s.authenticate(ctx, ses, l)
	if err != nil {
		return Credentials{}, err
	}
	s.upgraded(ses)
	return a.creds, nil
}

// claim is a log-in on its way through the checks.
type claim struct {
	ses   *Session
	login Login
	acc   *Account // nil: there is none of this name
	grant *Grant   // of a token
	name  string   // for the audit log
	key   string   // under which the throttle counts the account

	known    *knownGrant // what grant was made of
	tokenKey tokenKey
	factor   FactorKind // the second factor that was shown; "": none
	cert     *certified // the client certificate that was found to be the account's; nil: none
	gives    *Session   // has to go for this one
}

// authenticate is Login without the callbacks.
func (s *Service) authenticate(ctx context.Context, ses *Session, l Login) (*attachment, error) {
	c := &claim{ses: ses, login: l}
	ses.trying.Add(1)
	defer ses.trying.Add(-1)
	a, err := s.check(ctx, c)
	if !c.silent(err) {
		s.auditLogin(c, err)
	}
	return a, err
}

// silent reports whether an attempt has come to nothing that anybody has to know of.
func (c *claim) silent(err error) bool {
	return c.login.Tentative && (errors.Is(err, ErrCredentials) || errors.Is(err, ErrCertificate))
}

func (s *Service) check(ctx context.Context, c *claim) (*attachment, error) {
	if err := s.admissible(c.ses); err != nil {
		return nil, err
	}
	c.key, c.name = s.throttleKey(c.login)
	token := c.login.Method != MethodForm && s.tokens.IsToken(c.login.Secret)
	try, err := s.enter(ctx, c, token || c.login.Method == MethodFAST || c.login.Method == MethodExternal)
	if err != nil {
		return nil, err
	}
	switch m := c.login.Method; {
	case m == MethodExternal:
		token, err = true, s.proveCertificate(ctx, c)
	case m == MethodFAST || m == MethodOIDC:
		token, err = true, s.proveOther(ctx, c)
	case token || m == MethodBearer:
		err = s.proveToken(ctx, c, token)
	default:
		err = s.provePassword(ctx, c, try)
	}
	if c.silent(err) {
		try.drop()
		return nil, ErrCredentials
	}
	try.end(err, !token)
	switch {
	case errors.Is(err, ErrCredentials):
		return nil, ErrCredentials
	case err != nil:
		return nil, err
	}
	if token {
		try.token()
	}
	return s.admit(ctx, c)
}

// enter lets the throttle decide whether a log-in may be looked at. strong is a credential that nobody
// guesses, such as a token: a ban for guessing lets it try.
func (s *Service) enter(ctx context.Context, c *claim, strong bool) (*attempted, error) {
	addr := c.ses.Remote().Addr()
	kind, left := s.throttle.verdict(addr)
	if kind == BanWidened && !strong {
		// It is not this address that has guessed: whoever is known to come from here goes on.
		if strong = s.knownDevice(ctx, c); !strong {
			s.throttle.strike(BlockOf(addr))
		}
	}
	if kind != "" && (!strong || kind == BanManual) {
		s.throttle.hit(addr)
		return nil, &waitError{ErrBanned, left}
	}
	try, err := s.throttle.begin(ctx, BlockOf(addr), c.key, strong)
	if err != nil {
		return nil, err
	}
	try.known = func() bool { return s.knownDevice(ctx, c) }
	return try, nil
}

// knownDevice reports whether the name is known to log in with this kind of client from this part of
// the network. It asks the same of the store for what is no name.
func (s *Service) knownDevice(ctx context.Context, c *claim) bool {
	name, domain, err := s.parse(c.login)
	if err != nil {
		name, domain = nobody, s.opts.Domain
	}
	return s.KnownDevice(ctx, c.ses, domain, name)
}

// admissible says whether a log-in on the session may be tried at all.
func (s *Service) admissible(ses *Session) error {
	ses.mu.Lock()
	class, clear, done := ses.class, ses.details.TLS == "", ses.done
	ses.mu.Unlock()
	switch {
	case done:
		return ErrEnded
	case !ses.loginFree():
		return fmt.Errorf("the session is logged in already: %w", ErrInvalid)
	case !class.open(ses.protocol.Road()):
		return ErrClassDenied
	case class != nil && class.TLSRequired && clear:
		return ErrTLSRequired
	}
	return nil
}

// notName stands in the log for what cannot be a login: it may be a password in the wrong field.
const notName = "(not a name)"

// throttleKey returns what a log-in's name counts as, whether there is such an account or not,
// and what the log shows. A name that cannot be one counts as such.
func (s *Service) throttleKey(l Login) (key, shown string) {
	name, domain, err := s.parse(l)
	if err != nil {
		if l.Name == "" {
			return "", ""
		}
		return string(keyed(s.seal.names, l.Name, l.Domain)), notName
	}
	return string(keyed(s.seal.names, string(name), domain)), s.display(name, domain)
}

// parse reads the name of a log-in. A name with a domain other than the stream's is no name
// there.
func (s *Service) parse(l Login) (UserName, string, error) {
	def := s.opts.Domain
	if l.Domain != "" {
		d, err := ParseDomain(l.Domain)
		if err != nil {
			return "", "", err
		}
		def = d
	}
	name, domain, err := ParseAddress(l.Name, def)
	if err != nil {
		return "", "", err
	}
	if l.Domain != "" && domain != def {
		return "", "", fmt.Errorf("%q belongs to another domain than %q: %w", l.Name, def, ErrInvalid)
	}
	return name, domain, nil
}

// display is how a user is shown: the bare login for the default domain, else login@domain.
func (s *Service) display(name UserName, domain string) string {
	if domain == s.opts.Domain {
		return string(name)
	}
	return string(name) + "@" + domain
}

// nobody is a name that no account can have.
const nobody UserName = "anonymous"

// lookup finds the account of a log-in's name; nil where there is none.
func (s *Service) lookup(ctx context.Context, l Login) (*Account, error) {
	name, domain, err := s.parse(l)
	if err != nil || name.Reserved() || !slices.Contains(s.domains, domain) {
		// The same query as for others, so that it takes as long.
		name, domain = nobody, s.opts.Domain
	}
	mark := s.known.mark()
	acc, err := s.store.Account(ctx, domain, name)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, unavailable(ctx, err)
	case name == nobody:
		return nil, nil
	}
	s.known.keep(mark, &acc)
	return &acc, nil
}

// recall finds the account of a log-in without asking the store: that of a password that was right
// lately, while nothing has changed. What it does takes as long for unknown names; nil says nothing.
func (s *Service) recall(l Login) *Account {
	var acc *Account
	if name, domain, err := s.parse(l); err == nil {
		acc = s.known.find(domain, name)
	}
	if !s.passwords.recalls(acc, l.Secret) {
		return nil
	}
	return acc
}

// unavailable is the answer to an error of the store.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// unreadable is the answer to a password record that does not open: somebody has to look at the
// seal key.
func (s *Service) unreadable(id UserID, err error) error {
	s.log.Error("password record", "user", string(id), "err", err)
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func (s *Service) provePassword(ctx context.Context, c *claim, try *attempted) error {
	if err := try.wait(ctx); err != nil {
		return err
	}
	token := s.tokens.IsToken(c.login.Secret)
	if !token {
		if c.acc = s.recall(c.login); c.acc != nil {
			return nil
		}
	}
	began := s.now()
	var err error
	if c.acc, err = s.lookup(ctx, c.login); err != nil {
		return err
	}
	if !token {
		if asked, err := s.proveSource(ctx, c, try); asked {
			return err
		}
	}
	err = s.proveLocal(ctx, c, try, !token)
	if errors.Is(err, ErrCredentials) {
		s.padRefusal(ctx, c, began)
	}
	return err
}

// proveLocal checks the password that is kept here; where allowed is false none is right.
func (s *Service) proveLocal(ctx context.Context, c *claim, try *attempted, allowed bool) error {
	ahead := try.usual || s.passwords.gate.crowded() && try.ask()
	leave, err := try.place(ctx)
	if err != nil {
		return err
	}
	defer leave()
	ok, err := s.passwords.verify(ctx, sender{try.prefix, ahead}, c.key, c.acc, c.login.Secret, allowed)
	if errors.Is(err, errSeal) {
		return s.unreadable(c.acc.ID, err)
	}
	if err != nil {
		return err
	}
	if !ok {
		return ErrCredentials
	}
	s.upgradeRecord(ctx, try.prefix, c)
	return nil
}

// proveToken finds a token's owner. A token is random, so one fast hash of it suffices.
func (s *Service) proveToken(ctx context.Context, c *claim, isToken bool) error {
	if !isToken {
		return ErrCredentials
	}
	if err := s.verifyToken(ctx, c); err != nil {
		if errors.Is(err, ErrCredentials) || errors.Is(err, ErrNotFound) {
			return ErrCredentials
		}
		return unavailable(ctx, err)
	}
	var err error
	if c.acc, err = s.tokenOwner(ctx, c); err != nil {
		return err
	}
	if c.acc == nil || c.acc.ID != c.grant.User || c.grant.JID != string(c.acc.Login)+"@"+c.acc.Domain {
		c.acc, c.grant = nil, nil
		return ErrCredentials
	}
	return s.passes.redeem(c.grant)
}

// proveOther asks the road's own evidence. That is no guess of a secret that a person made up, so
// it waits for no delay of the account, as tokens do not.
func (s *Service) proveOther(ctx context.Context, c *claim) error {
	if c.login.Prover == nil {
		return fmt.Errorf("%s needs a prover: %w", c.login.Method, ErrInvalid)
	}
	acc, err := s.lookup(ctx, c.login)
	if err != nil {
		return err
	}
	c.acc = acc
	if err := c.login.Prover.Prove(ctx, acc); err != nil {
		return err
	}
	if acc == nil {
		return ErrCredentials
	}
	return nil
}

// remoteText is the host address of a session as tokens know it; "" where there is none.
func remoteText(ses *Session) string {
	a := ses.Remote()
	if !a.IsValid() {
		return ""
	}
	return a.Addr().Unmap().WithZone("").String()
}

// byID reads an account that is not deleted; nil where there is none.
func (s *Service) byID(ctx context.Context, id UserID) (*Account, error) {
	acc, err := s.store.AccountByID(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && acc.State == UserDeleted:
		return nil, nil
	case err != nil:
		return nil, unavailable(ctx, err)
	}
	return &acc, nil
}

// Forget takes the credentials off a session that goes on unauthenticated (FTP REIN, USER or
// AUTH after log-in).
func (s *Service) Forget(ses *Session) {
	a, ok := ses.attached()
	if !ok || !s.Registry.replace(ses, nil) {
		return
	}
	s.auditEnd(EventLogout, ses, a, Reason{Code: ReasonEnded})
	if !a.creds.Anonymous() {
		s.downgraded(ses)
	}
}

// CheckPassword verifies a person's own password again, through throttle and gate.
func (s *Service) CheckPassword(ctx context.Context, ses *Session, password Secret) error {
	a, ok := ses.attached()
	if !ok || a.creds.Anonymous() {
		return ErrCredentials
	}
	c := &claim{ses: ses, name: a.creds.User,
		login: Login{Method: MethodForm, Name: string(a.creds.Login) + "@" + a.creds.Domain, Secret: password}}
	c.key, _ = s.throttleKey(c.login)
	try, err := s.enter(ctx, c, false)
	if err == nil {
		err = s.provePassword(ctx, c, try)
		try.end(err, true)
	}
	if err != nil {
		s.auditLogin(c, err)
	}
	return err
}
