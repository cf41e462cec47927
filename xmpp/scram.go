package xmpp

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 5802 names it; only where config has it for old clients
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"trivium/identity"
)

// scram is the server's side of RFC 5802 and RFC 7677: the messages. The keys are identity's.
type scram struct {
	n      *negotiation
	hash   identity.SCRAMHash
	method identity.Method
	plus   bool

	bound     *channelBinding // of a PLUS mechanism, after the first message
	x         *identity.SCRAM // after the first message
	header    string          // GS2, as the client sent it
	firstBare string
	first     string // the server's
	nonce     string
}

func (m *scram) step(ctx context.Context, in []byte) ([]byte, bool, identity.Credentials, error) {
	if !utf8.Valid(in) {
		return nil, false, identity.Credentials{}, &saslError{cond: saslMalformedRequest}
	}
	if m.x == nil {
		out, err := m.begin(ctx, string(in))
		return out, false, identity.Credentials{}, err
	}
	out, c, err := m.finish(ctx, string(in))
	return out, true, c, err
}

// begin reads the client's first message (RFC 5802 section 7).
func (m *scram) begin(ctx context.Context, msg string) ([]byte, error) {
	first, err := parseClientFirst(msg)
	if err != nil {
		return nil, err
	}
	switch {
	case first.flag == "p" != m.plus:
		return nil, &saslError{cond: saslMalformedRequest}
	case first.flag == "y" && len(m.n.bindingsOffered()) > 0:
		// Section 6: the client believes that no PLUS was offered, so somebody has changed what
		// it heard.
		return nil, &saslError{cond: saslNotAuthorized, text: "The list of mechanisms was changed on its way."}
	}
	if m.plus {
		if m.bound = m.n.binding(first.binding); m.bound == nil {
			return nil, &saslError{cond: saslNotAuthorized, text: "This connection does not have that channel binding."}
		}
	}
	if err := m.n.checkAuthzid(first.authzid, first.name); err != nil {
		return nil, err
	}
	l, err := m.n.login(m.method, first.name, identity.Secret{})
	if err != nil {
		return nil, err
	}
	x, err := m.n.srv.identity.BeginSCRAM(ctx, m.n.c.ses, l, m.hash)
	if err != nil {
		return nil, err
	}
	m.x, m.header, m.firstBare = x, first.header, first.bare
	m.nonce = first.nonce + rand.Text()
	m.first = "r=" + m.nonce + ",s=" + base64.StdEncoding.EncodeToString(x.Salt) + ",i=" + strconv.Itoa(x.Iterations) + m.protection()
	return []byte(m.first), nil
}

// protection are the attributes by which the client finds out that somebody has changed what was
// offered (XEP-0474 section 6.1), or sits between two TLS connections of different versions
// (XEP-0515 section 5.1). The client's proof and ours are over them.
func (m *scram) protection() string {
	newHash := sha256.New
	if m.hash == identity.SCRAMSHA1 {
		newHash = sha1.New
	}
	list := slices.Sorted(slices.Values(m.n.offered))
	s := strings.Join(list, "\x1e")
	if offered := m.n.bindingsOffered(); len(offered) > 0 {
		list = list[:0]
		for _, b := range offered {
			list = append(list, b.name)
		}
		slices.Sort(list)
		s += "\x1f" + strings.Join(list, "\x1e")
	}
	h := newHash()
	h.Write([]byte(s))
	out := ",h=" + base64.StdEncoding.EncodeToString(h.Sum(nil))
	if state := m.n.t.tlsState(); state != nil {
		out += fmt.Sprintf(",t=%04x", state.Version)
	}
	return out
}

// finish checks the client's final message.
func (m *scram) finish(ctx context.Context, msg string) ([]byte, identity.Credentials, error) {
	final, err := parseClientFinal(msg)
	if err != nil {
		return nil, identity.Credentials{}, err
	}
	binding := []byte(m.header)
	if m.bound != nil {
		binding = append(binding, m.bound.data...)
	}
	if subtle.ConstantTimeCompare(binding, final.binding) != 1 || final.nonce != m.nonce {
		return nil, identity.Credentials{}, &saslError{cond: saslNotAuthorized, text: textWrong}
	}
	c, signature, err := m.x.Finish(ctx, []byte(m.firstBare+","+m.first+","+final.without), final.proof)
	if err != nil {
		return nil, identity.Credentials{}, err
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(signature)), c, nil
}

// clientFirst is client-first-message of RFC 5802 section 7.
type clientFirst struct {
	flag    string // n, y or p
	binding string // the type that follows p=
	authzid string
	name    string
	nonce   string
	header  string // gs2-header
	bare    string // client-first-message-bare
}

func parseClientFirst(msg string) (f clientFirst, err error) {
	malformed := &saslError{cond: saslMalformedRequest}
	flag, rest, ok := strings.Cut(msg, ",")
	authz, bare, ok2 := strings.Cut(rest, ",")
	if !ok || !ok2 {
		return f, malformed
	}
	f.flag, f.binding, ok = strings.Cut(flag, "=")
	switch {
	case (f.flag == "n" || f.flag == "y") && !ok:
	case f.flag == "p" && f.binding != "":
	default:
		return f, malformed
	}
	if f.authzid, err = gs2Name(authz); err != nil {
		return f, err
	}
	f.header, f.bare = msg[:len(flag)+len(authz)+2], bare
	fields := strings.Split(bare, ",")
	if len(fields) < 2 { // a mandatory extension, m=, would stand first
		return f, malformed
	}
	name, ok := strings.CutPrefix(fields[0], "n=")
	nonce, ok2 := strings.CutPrefix(fields[1], "r=")
	if !ok || !ok2 || !printable(nonce) || !extensions(fields[2:]) {
		return f, malformed
	}
	f.nonce = nonce
	if f.name, err = saslName(name); err != nil || f.name == "" {
		return f, malformed
	}
	return f, nil
}

// clientFinal is client-final-message.
type clientFinal struct {
	binding []byte
	nonce   string
	proof   []byte
	without string // client-final-message-without-proof
}

func parseClientFinal(msg string) (f clientFinal, err error) {
	malformed := &saslError{cond: saslMalformedRequest}
	at := strings.LastIndex(msg, ",p=")
	if at < 0 {
		return f, malformed
	}
	f.without = msg[:at]
	if f.proof, err = unbase64(msg[at+len(",p="):]); err != nil || len(f.proof) == 0 {
		return f, malformed
	}
	fields := strings.Split(f.without, ",")
	if len(fields) < 2 || !extensions(fields[2:]) {
		return f, malformed
	}
	binding, ok := strings.CutPrefix(fields[0], "c=")
	if !ok {
		return f, malformed
	}
	if f.binding, err = unbase64(binding); err != nil {
		return f, malformed
	}
	if f.nonce, ok = strings.CutPrefix(fields[1], "r="); !ok || !printable(f.nonce) {
		return f, malformed
	}
	return f, nil
}

// extensions reports whether the fields have the form of optional extensions, which are ignored.
func extensions(fields []string) bool {
	for _, f := range fields {
		if len(f) < 3 || f[1] != '=' || f[0] == 'm' || f[0]|0x20 < 'a' || f[0]|0x20 > 'z' {
			return false
		}
	}
	return true
}

// printable is the form of a nonce: ASCII without space and comma.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ',' {
			return false
		}
	}
	return s != ""
}

// gs2Name reads the authorization identity of a GS2 header: nothing, or a=saslname.
func gs2Name(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	name, ok := strings.CutPrefix(s, "a=")
	if !ok || name == "" {
		return "", &saslError{cond: saslMalformedRequest}
	}
	return saslName(name)
}

// saslName decodes a saslname: =2C and =3D stand for comma and equals sign, and nothing else may
// follow an equals sign.
func saslName(s string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "=")
		b.WriteString(before)
		switch {
		case !found:
			if name := b.String(); !strings.Contains(name, "\x00") {
				return name, nil
			}
			return "", &saslError{cond: saslMalformedRequest}
		case strings.HasPrefix(after, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(after, "3D"):
			b.WriteByte('=')
		default:
			return "", &saslError{cond: saslMalformedRequest}
		}
		s = after[2:]
	}
}
