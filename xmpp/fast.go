package xmpp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"trivium/identity"
)

const nsFAST = "urn:xmpp:fast:0"

// The mechanisms of tokens are HT-SHA-256-NONE and one for each channel binding
// (draft-schmaus-kitten-sasl-ht-09 section 2).
const (
	htPrefix = "HT-SHA-256-"
	htNone   = htPrefix + "NONE"
)

// fastMechanisms are those of tokens that this connection can use, the best first.
func (n *negotiation) fastMechanisms() []string {
	list := make([]string, 0, 3)
	for _, b := range n.bindings {
		list = append(list, htPrefix+b.short)
	}
	return append(list, htNone)
}

// fastFeature offers them (XEP-0484 section 4.1).
func (n *negotiation) fastFeature(b []byte) []byte {
	b = append(b, "<fast xmlns='"+nsFAST+"'>"...)
	for _, m := range n.fastMechanisms() {
		b = append(append(append(b, "<mechanism>"...), m...), "</mechanism>"...)
	}
	return append(b, "</fast>"...)
}

// fastUse is `<fast/>`: the client says that it logs in by a token.
type fastUse struct {
	count      int64 // 0 where it sent none
	invalidate bool
}

func parseFAST(el *Element) (u *fastUse, err error) {
	malformed := &saslError{cond: saslMalformedRequest}
	u = &fastUse{}
	if v, ok := el.Attr("count"); ok {
		if u.count, err = strconv.ParseInt(v, 10, 64); err != nil || u.count <= 0 {
			return nil, malformed
		}
	}
	switch v, _ := el.Attr("invalidate"); v {
	case "", "0", "false":
	case "1", "true":
		u.invalidate = true
	default:
		return nil, malformed
	}
	return u, nil
}

// ht is the hashed token mechanism of draft-schmaus-kitten-sasl-ht-09 section 3: one message each
// way. identity asks it to prove what the message says.
type ht struct {
	n    *negotiation
	name string
	cb   []byte // data of the channel binding
	use  *fastUse
	id   string // of the client

	proof []byte
	token string     // that made the proof
	row   FASTClient // its client
	slot  FASTToken
	turn  uint64 // of revocations, when the row was read
}

// fastMechanism starts the exchange of a token; nil where the connection has no such mechanism.
func (n *negotiation) fastMechanism(q *request2) mech {
	m := &ht{n: n, name: q.mechanism, use: q.fast, id: q.agent.ID}
	if q.mechanism == htNone {
		return m
	}
	for _, b := range n.bindings {
		if q.mechanism == htPrefix+b.short {
			m.cb = b.data
			return m
		}
	}
	return nil
}

// errTokenOver is a token that was right once. Who has it is told to use the password.
var errTokenOver = fmt.Errorf("the token of the client is over: %w", identity.ErrExpired)

func (m *ht) step(ctx context.Context, in []byte) ([]byte, bool, identity.Credentials, error) {
	name, proof, err := parseHT(in)
	if err != nil {
		return nil, false, identity.Credentials{}, err
	}
	if m.id == "" { // XEP-0484 section 5.1
		return nil, false, identity.Credentials{}, &saslError{cond: saslMalformedRequest, text: "A log-in by token needs the id of the user agent."}
	}
	if peer := m.n.peer; peer.Localpart() != "" {
		if err := m.n.checkAuthzid(peer.String(), name); err != nil {
			return nil, false, identity.Credentials{}, err
		}
	}
	l, err := m.n.login(identity.MethodFAST, name, identity.Secret{})
	if err != nil {
		return nil, false, identity.Credentials{}, err
	}
	m.proof, l.Prover = proof, m
	c, err := m.n.srv.identity.Login(ctx, m.n.c.ses, l)
	switch {
	case errors.Is(err, errTokenOver): // XEP-0484 section 5.2
		return nil, false, c, &saslError{cond: saslCredentialsExpired, text: "The token is over. Log in with the password."}
	case err != nil:
		return nil, false, c, err
	}
	return m.hash("Responder", m.token), true, c, nil
}

// parseHT reads the initiator's message.
func parseHT(in []byte) (name string, proof []byte, err error) {
	const maxName = 255
	id, proof, ok := bytes.Cut(in, []byte{0})
	if !ok || len(id) == 0 || len(id) > maxName || !utf8.Valid(id) || len(proof) != sha256.Size {
		return "", nil, &saslError{cond: saslMalformedRequest}
	}
	return string(id), proof, nil
}

// hash is what proves a token: HMAC(token, who || cb-data).
func (m *ht) hash(who, token string) []byte {
	h := hmac.New(sha256.New, []byte(token))
	h.Write([]byte(who))
	h.Write(m.cb)
	return h.Sum(nil)
}

// Prove is identity's question. It derives both tokens that the client may have, whether there are
// any or not.
func (m *ht) Prove(ctx context.Context, acc *identity.Account) error {
	var owner identity.UserID
	if acc != nil {
		owner = acc.ID
	}
	f := m.n.srv.fast
	m.turn = m.n.srv.router.revocations.Load()
	row, err := f.store.FAST(ctx, owner, m.id)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		row = FASTClient{}
	case err != nil:
		return fmt.Errorf("%w: %w", identity.ErrUnavailable, err)
	}
	right := 0
	for _, slot := range []FASTToken{row.Current, row.Next} {
		token := f.derive(owner, m.id, m.name, slot, row.Version)
		same := subtle.ConstantTimeCompare(m.hash("Initiator", token), m.proof)
		if same == 1 && slot.Nonce != "" {
			m.slot, m.token = slot, token
			right = 1
		}
	}
	switch {
	case acc == nil || right == 0 || row.Mechanism != m.name:
		return identity.ErrCredentials
	case row.Version != acc.CredentialVersion || !f.now().Before(m.slot.Expires):
		return errTokenOver
	case m.use.count > 0 && m.slot.Nonce == row.Current.Nonce && m.use.count <= row.Uses:
		return identity.ErrCredentials // XEP-0484 section 4.4: it was said before
	}
	m.row = row
	return nil
}

func (m *ht) since() uint64 { return m.turn }

func (m *ht) holds(ctx context.Context, owner identity.UserID) bool {
	if m.use.invalidate { // it is gone because it was used
		return true
	}
	_, err := m.n.srv.fast.store.FAST(ctx, owner, m.id)
	return err == nil
}
