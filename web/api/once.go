package api

import (
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"trivium/identity"
)

// Bounds of requests with an Idempotency-Key.
const (
	maxOnceKey    = 255
	maxOnceAnswer = 256 << 10        // bytes of an answer that is kept
	onceTime      = 2 * time.Minute  // a request that is not done after that will not be
	onceRun       = 60 * time.Second // such a request goes on without its client for so long
)

// onceKeeper seals what requests were answered: some answers hold a secret that is shown once.
type onceKeeper struct {
	id    *identity.Service
	seal  cipher.AEAD
	print []byte
}

func newOnceKeeper(id *identity.Service) (*onceKeeper, error) {
	seal, err := chacha20poly1305.NewX(id.DeriveKey("api answers"))
	if err != nil {
		return nil, fmt.Errorf("preparing the seal of answers: %w", err)
	}
	return &onceKeeper{id, seal, id.DeriveKey("api requests")}, nil
}

// parseOnceKey reads an Idempotency-Key: a string of RFC 9651 section 3.3.3, or as many clients send it the
// bare characters of a token.
func parseOnceKey(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	text := lines[0]
	if len(text) < 3 || text[0] != '"' {
		for i := 0; i < len(text); i++ {
			c := text[i]
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.' || c == ':' || c == '=' || c == '+' || c == '/') {
				return "", false
			}
		}
		return text, text != "" && len(text) <= maxOnceKey
	}
	key := make([]byte, 0, len(text))
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return string(key), i == len(text)-1 && len(key) > 0 && len(key) <= maxOnceKey
		case c == '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}
			key = append(key, text[i])
		case c < 0x20 || c > 0x7e:
			return "", false
		default:
			key = append(key, c)
		}
	}
	return "", false
}

// keptAnswer is an answer as it is sealed.
type keptAnswer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body,omitempty"`
	Large  bool        `json:"large,omitempty"` // the body was too large to be kept
}

// credential is whose keys are apart from all others': what one token made is not shown to another token
// of the same account.
func (c caller) credential() string {
	switch {
	case c.grant != nil:
		return "token:" + c.grant.TokenID
	case c.owner != "":
		return "account:" + string(c.owner)
	}
	return "machine"
}

// printOf is a keyed hash, for a body may hold a password that could be guessed from a plain one.
func (k *onceKeeper) printOf(r *http.Request, body []byte) []byte {
	m := hmac.New(sha256.New, k.print)
	_, _ = fmt.Fprintf(m, "%q %q %q %q\n", r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("If-Match"))
	_, _ = m.Write(body)
	return m.Sum(nil)
}

// once does a request with a key at most once (draft-ietf-httpapi-idempotency-key-header-07). do runs
// it, and gives its whole answer before anything is sent.
func (k *onceKeeper) once(a *API, w http.ResponseWriter, r *http.Request, c caller, body []byte, do func(*http.Request) *tagWriter) {
	key, ok := parseOnceKey(r.Header.Values("Idempotency-Key"))
	if !ok {
		newProblem(http.StatusBadRequest, codeInvalid, fmt.Sprintf("Idempotency-Key is one text of at most %d characters, such as \"8e03978e-40d5-43dd-bc93-6894a57f9324\".", maxOnceKey), "").write(w)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), onceRun)
	defer cancel()
	o := identity.Once{Asker: c.credential(), Key: key, Print: k.printOf(r, body)}
	old, begun, err := k.id.BeginOnce(ctx, o)
	if errors.Is(err, identity.ErrRefused) {
		p := newProblem(http.StatusTooManyRequests, codeTooMany, sentence(err, identity.ErrRefused), "Send requests without a key, or later.")
		p.header = http.Header{"Retry-After": {"3600"}}
		p.write(w)
		return
	}
	if err != nil {
		a.problem(ctx, err).write(w)
		return
	}
	if !begun {
		k.again(a, w, o, old)
		return
	}
	t := do(r.WithContext(ctx))
	if t.status < 200 || t.status >= 300 {
		err = k.id.DropOnce(ctx, o.Asker, o.Key)
	} else {
		err = k.keep(ctx, o, t)
	}
	if err != nil { // what was done is done; the key only says so no more
		a.log.ErrorContext(ctx, "the answer to a request with a key was not kept", slogErr(err)...)
	}
	t.send()
}

func (k *onceKeeper) keep(ctx context.Context, o identity.Once, t *tagWriter) error {
	x := keptAnswer{Status: t.status, Header: maps.Clone(t.Header()), Body: t.body.Bytes()}
	for _, name := range []string{"Ratelimit", "Ratelimit-Policy", "Date"} {
		x.Header.Del(name)
	}
	if t.passed || len(x.Body) > maxOnceAnswer {
		x.Body, x.Large = nil, true
	}
	plain, err := json.Marshal(x)
	if err != nil {
		return err
	}
	nonce := make([]byte, k.seal.NonceSize(), k.seal.NonceSize()+len(plain)+k.seal.Overhead())
	_, _ = rand.Read(nonce) // never fails, as its documentation says
	return k.id.AnswerOnce(ctx, o.Asker, o.Key, k.seal.Seal(nonce, nonce, plain, []byte(o.Asker+"\x00"+o.Key)))
}

// again answers a request that came before.
func (k *onceKeeper) again(a *API, w http.ResponseWriter, now, old identity.Once) {
	switch {
	case !hmac.Equal(now.Print, old.Print):
		newProblem(http.StatusUnprocessableEntity, codeReused, "This Idempotency-Key came with another request before.", "Make a new key for each request.").write(w)
		return
	case old.Answer == nil && a.now().Sub(old.At) < onceTime:
		p := newProblem(http.StatusConflict, codeBusy, "The first request with this Idempotency-Key is not done yet.", "Ask again in a moment.")
		p.header = http.Header{"Retry-After": {"1"}}
		p.write(w)
		return
	case old.Answer == nil:
		newProblem(http.StatusConflict, codeUnknown, "Nobody knows what came of the first request with this Idempotency-Key: the server stopped meanwhile.",
			"Look whether it was done; if not, send it with a new key.").write(w)
		return
	}
	var x keptAnswer
	n := k.seal.NonceSize()
	plain, err := []byte(nil), errors.New("the kept answer is too short")
	if len(old.Answer) > n {
		plain, err = k.seal.Open(nil, old.Answer[:n], old.Answer[n:], []byte(old.Asker+"\x00"+old.Key))
	}
	if err == nil {
		err = json.Unmarshal(plain, &x)
	}
	switch {
	case err != nil: // sealed with another key
		newProblem(http.StatusConflict, codeUnknown, "This request was done before; its answer cannot be read any more.", "").write(w)
		return
	case x.Large:
		newProblem(http.StatusConflict, codeExists, "This request was done before; its answer was too large to be kept.", "").write(w)
		return
	}
	maps.Copy(w.Header(), x.Header)
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(x.Status)
	_, _ = w.Write(x.Body) // the client is gone, or not
}
