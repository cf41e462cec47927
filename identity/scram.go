package identity

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // RFC 5802 names it; only where policy keeps it for old clients
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"sync/atomic"
)

// SCRAMHash names the hash of a SCRAM mechanism (RFC 5802, RFC 7677).
type SCRAMHash string

// The hashes. SHA-1 keys exist only where policy allows old clients.
const (
	SCRAMSHA1   SCRAMHash = "SHA-1"
	SCRAMSHA256 SCRAMHash = "SHA-256"
)

// maxTokenKeys is how many tokens of one account SCRAM tries.
const maxTokenKeys = 50

// SCRAM is a log-in in steps: the same door as Login, which ends in the same checks.
type SCRAM struct {
	Salt       []byte // stable for unknown names, too
	Iterations int

	service *Service
	claim   *claim
	hash    func() hash.Hash
	keys    *scramKeys // of the account; nil: none of this hash
	used    atomic.Bool

	tokensOnly bool
}

// newHash returns the hash of h; false where there is no such mechanism.
func (h SCRAMHash) newHash() (func() hash.Hash, Method, bool) {
	switch h {
	case SCRAMSHA256:
		return sha256.New, MethodSCRAMSHA256, true
	case SCRAMSHA1:
		return sha1.New, MethodSCRAMSHA1, true
	default:
		return nil, "", false
	}
}

// BeginSCRAM looks the name up and returns salt and iterations for the server's first message.
// An unknown name, or one without keys of this hash, gets a fake salt, always the same one, and
// fails in Finish as a wrong password does.
func (s *Service) BeginSCRAM(ctx context.Context, ses *Session, l Login, h SCRAMHash) (*SCRAM, error) {
	newHash, method, ok := h.newHash()
	if !ok {
		return nil, fmt.Errorf("%q is not a hash of SCRAM: %w", h, ErrInvalid)
	}
	l.Method = method
	x := &SCRAM{service: s, hash: newHash, claim: &claim{ses: ses, login: l}}
	if err := x.begin(ctx, h); err != nil {
		s.auditLogin(x.claim, err)
		return nil, err
	}
	return x, nil
}

func (x *SCRAM) begin(ctx context.Context, h SCRAMHash) error {
	s, c := x.service, x.claim
	if err := s.admissible(c.ses); err != nil {
		return err
	}
	c.key, c.name = s.throttleKey(c.login)
	if err := s.Registry.checkBan(c.ses.Remote().Addr(), false); err != nil {
		return err
	}
	if name, domain, err := s.parse(c.login); err == nil {
		c.acc = s.known.again(BlockOf(c.ses.Remote().Addr()), domain, name)
	}
	if c.acc == nil {
		var err error
		if c.acc, err = s.lookup(ctx, c.login); err != nil {
			return err
		}
	}
	// Equal for all spellings of one name; what is no name has itself.
	x.Salt = keyed(s.seal.salts, c.key, string(h))[:saltBytes]
	x.Iterations = s.opts.SCRAMIterations
	r, has, err := s.passwords.of(c.acc)
	switch {
	case err != nil && c.acc != nil:
		return s.unreadable(c.acc.ID, err)
	case err != nil:
		return err
	case !has:
		return nil
	case r.Kind == recordArgon:
		return nil
	case h == SCRAMSHA256:
		x.keys = r.SHA256
	default:
		x.keys = r.SHA1
	}
	if x.keys != nil || h == SCRAMSHA256 { // tokens have SHA-256 keys, and the account's salt
		x.Salt, x.Iterations = r.Salt, r.Iterations
	}
	return nil
}

// Finish checks the client's proof over authMessage (RFC 5802 section 3) against the account's
// key and those of its tokens, and returns the server's signature made with the key that
// matched.
func (x *SCRAM) Finish(ctx context.Context, authMessage, proof []byte) (Credentials, []byte, error) {
	if x.used.Swap(true) {
		return Credentials{}, nil, fmt.Errorf("a SCRAM exchange has one proof: %w", ErrInvalid)
	}
	a, signature, err := x.finish(ctx, authMessage, proof)
	x.service.auditLogin(x.claim, err)
	if err != nil {
		return Credentials{}, nil, err
	}
	x.service.upgraded(x.claim.ses)
	return a.creds, signature, nil
}

func (x *SCRAM) finish(ctx context.Context, authMessage, proof []byte) (*attachment, []byte, error) {
	s, c := x.service, x.claim
	if err := s.admissible(c.ses); err != nil {
		return nil, nil, err
	}
	c.ses.trying.Add(1)
	defer c.ses.trying.Add(-1)
	// Under a ban for guessing the account's own key is not tried: a token's may be.
	kind, _ := s.throttle.verdict(c.ses.Remote().Addr())
	x.tokensOnly = kind == BanGuessing
	try, err := s.enter(ctx, c, x.tokensOnly)
	if err != nil {
		return nil, nil, err
	}
	server, err := x.match(ctx, try, authMessage, proof)
	try.end(err, true)
	switch {
	case errors.Is(err, ErrCredentials):
		return nil, nil, ErrCredentials
	case err != nil:
		return nil, nil, err
	}
	if c.grant != nil {
		try.token()
	}
	a, err := s.admit(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	s.known.meet(BlockOf(c.ses.Remote().Addr()), c.acc)
	return a, hmacOf(x.hash, server, string(authMessage)), nil
}

// match returns the ServerKey that belongs to the key that proof was made with.
func (x *SCRAM) match(ctx context.Context, try *attempted, authMessage, proof []byte) ([]byte, error) {
	leave, err := try.slow(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	p := newProof(x.hash, authMessage, proof)
	blank := make([]byte, p.h.Size())
	stored, own := blank, []byte(nil)
	if x.keys != nil && !x.tokensOnly {
		stored, own = x.keys.Stored, x.keys.Server
	}
	// Who has shown the account's own key waits for nothing else: that it was right they hear anyway.
	if p.by(stored) && own != nil && x.claim.acc != nil {
		return own, nil
	}
	tokens, err := x.tokenKeys(ctx)
	if err != nil {
		return nil, err
	}
	// Always as many tries, whether the account exists, has a password, and however many tokens.
	var server []byte
	for i := range maxTokenKeys {
		stored, key := blank, []byte(nil)
		if i < len(tokens) {
			stored, key = tokens[i].StoredKey, tokens[i].ServerKey
		}
		if p.by(stored) && key != nil {
			server, x.claim.grant = key, &tokens[i].Grant
		}
	}
	if x.claim.acc == nil || server == nil {
		x.claim.grant = nil
		return nil, ErrCredentials
	}
	if err := x.service.passes.redeem(x.claim.grant); err != nil {
		return nil, err
	}
	return server, nil
}

// tokenKeys reads the keys of the account's tokens; for an unknown name it asks for those of an ID
// that nobody has, as the question takes time.
func (x *SCRAM) tokenKeys(ctx context.Context) ([]TokenKey, error) {
	s, c := x.service, x.claim
	id := UserID(nobody)
	if c.acc != nil {
		id = c.acc.ID
	}
	keys, err := s.tokens.TokenKeys(ctx, id, remoteText(c.ses))
	switch {
	case errors.Is(err, ErrNotFound), c.login.Method != MethodSCRAMSHA256, c.acc == nil:
		return nil, nil
	case err != nil:
		return nil, unavailable(ctx, err)
	}
	return keys[:min(len(keys), maxTokenKeys)], nil
}

// scramProof is a client's proof. It is tried with many keys, so it keeps what a try needs.
type scramProof struct {
	h           hash.Hash
	message     []byte
	proof       []byte
	pad         []byte
	inner, mine []byte
}

func newProof(newHash func() hash.Hash, message, proof []byte) *scramProof {
	h := newHash()
	buf := make([]byte, h.BlockSize()+2*h.Size())
	return &scramProof{h: h, message: message, proof: proof, pad: buf[:h.BlockSize()],
		inner: buf[h.BlockSize():][:0:h.Size()], mine: buf[h.BlockSize()+h.Size():][:0]}
}

// by reports whether the proof was made by who knows the key that stored is the hash of
// (RFC 5802 section 3: ClientKey = ClientProof XOR ClientSignature, StoredKey = H(ClientKey)). The
// signature is an HMAC, written out so that it takes no memory.
func (p *scramProof) by(stored []byte) bool {
	if len(p.proof) != p.h.Size() || len(stored) != p.h.Size() {
		return false
	}
	for i := range p.pad {
		p.pad[i] = 0x36
	}
	subtle.XORBytes(p.pad, p.pad, stored)
	p.h.Reset()
	p.h.Write(p.pad)
	p.h.Write(p.message)
	inner := p.h.Sum(p.inner)
	for i := range p.pad {
		p.pad[i] ^= 0x36 ^ 0x5C
	}
	p.h.Reset()
	p.h.Write(p.pad)
	p.h.Write(inner)
	key := p.h.Sum(p.mine)
	subtle.XORBytes(key, key, p.proof)
	p.h.Reset()
	p.h.Write(key)
	return subtle.ConstantTimeCompare(p.h.Sum(p.inner), stored) == 1
}

// SCRAMKeys derives the StoredKey and ServerKey of SCRAM-SHA-256 (RFC 5802 section 3) for a token of an
// account, with the account's SCRAMParameters. Under a policy without SCRAM both are nil.
func (s *Service) SCRAMKeys(ctx context.Context, id UserID, token string) (stored, server []byte, err error) {
	salt, iterations, err := s.SCRAMParameters(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	salted, err := pbkdf2.Key(sha256.New, token, salt, iterations, sha256.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("deriving the keys of a token: %w", err)
	}
	keys := saltedKeys(sha256.New, salted)
	return keys.Stored, keys.Server, nil
}

// SCRAMParameters returns the salt and iterations of the account's SCRAM-SHA-256 keys, which its
// tokens share; an account without a password gets a salt of its own that a later password
// keeps. ErrNotFound under a policy that has no SCRAM.
func (s *Service) SCRAMParameters(ctx context.Context, id UserID) (salt []byte, iterations int, err error) {
	if s.opts.Argon2id {
		return nil, 0, ErrNotFound
	}
	acc, err := s.store.AccountByID(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if len(acc.Password.Sealed) > 0 {
		return s.scramSalt(id, acc.Password)
	}
	err = s.store.Write(ctx, func(w StoreWriter) error {
		acc, err := w.AccountByID(ctx, id) // another may have been first
		if err != nil {
			return err
		}
		if len(acc.Password.Sealed) > 0 {
			salt, iterations, err = s.scramSalt(id, acc.Password)
			return err
		}
		salt, iterations = newSalt(), s.opts.SCRAMIterations
		r, err := s.passwords.close(id, passwordRecord{Kind: recordSalt, Salt: salt, Iterations: iterations})
		if err != nil {
			return err
		}
		return w.PutPassword(ctx, id, r)
	})
	return salt, iterations, err
}

func (s *Service) scramSalt(id UserID, r Record) ([]byte, int, error) {
	was, err := s.passwords.open(id, r)
	if err != nil {
		return nil, 0, err
	}
	if was.Iterations == 0 {
		return nil, 0, ErrNotFound // kept under the policy argon2id
	}
	return was.Salt, was.Iterations, nil
}
