package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"trivium/identity"
)

// Bounds of If-Match and If-None-Match.
const (
	maxTags     = 64      // tags in a field
	maxTagField = 8 << 10 // bytes of a field
	tagBytes    = 12      // of each hash in a tag of ours
	maxTagged   = 8 << 20 // bytes of an answer that gets a tag; a larger one goes out as it is made
)

// tags is a field of RFC 9110 section 13.1.1 or 13.1.2: tags, or any.
type tags struct {
	any  bool
	list []string // opaque parts; a weak one has W/ before it
}

// parseTags reads the lines of a field. ok is false where it is neither * nor a list of entity tags
// (RFC 9110 section 8.8.3).
func parseTags(lines []string) (t tags, ok bool) {
	text := strings.Join(lines, ",")
	if len(text) > maxTagField {
		return tags{}, false
	}
	rest := strings.Trim(text, " \t")
	if rest == "*" {
		return tags{any: true}, true
	}
	for rest != "" {
		if rest[0] == ',' || rest[0] == ' ' || rest[0] == '\t' { // empty elements of a list count for nothing
			rest = rest[1:]
			continue
		}
		weak := strings.HasPrefix(rest, "W/")
		rest = strings.TrimPrefix(rest, "W/")
		if rest == "" || rest[0] != '"' {
			return tags{}, false
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 || len(t.list) == maxTags {
			return tags{}, false
		}
		opaque := rest[1 : 1+end]
		for i := 0; i < len(opaque); i++ { // etagc
			if opaque[i] < 0x21 || opaque[i] == 0x7f {
				return tags{}, false
			}
		}
		if weak {
			opaque = "W/" + opaque
		}
		t.list = append(t.list, opaque)
		rest = strings.TrimLeft(rest[2+end:], " \t")
		if rest != "" && rest[0] != ',' {
			return tags{}, false
		}
	}
	return t, len(t.list) > 0
}

// same reports whether one of the tags is opaque, by weak comparison (RFC 9110 section 8.8.3.2).
func (t tags) same(opaque string) bool {
	if t.any {
		return true
	}
	for _, x := range t.list {
		if strings.TrimPrefix(x, "W/") == opaque {
			return true
		}
	}
	return false
}

// holds reports whether one of the tags names a state. Our tags have two parts: the state that can be
// changed, and all that is shown. A log-in that somebody makes meanwhile shows in the second alone, and is
// no change that could get lost. Weak tags never hold.
func (t tags) holds(state string) bool {
	if t.any {
		return true
	}
	for _, x := range t.list {
		if strings.HasPrefix(x, "W/") {
			continue
		}
		if head, _, _ := strings.Cut(x, "."); head == state {
			return true
		}
	}
	return false
}

// stated is a representation of which not everything can be changed: state is it without the rest.
type stated interface{ state() any }

func (u User) state() any {
	u.LastLogin = nil
	return u
}

func (g Group) state() any { return g }

func (i Invitation) state() any {
	i.Link, i.Code, i.State = "", "", "" // State follows the clock
	return i
}

func (x Application) state() any {
	x.Secret, x.People = "", 0
	return x
}

func (r ruleList) state() any { return r }

// stateTag is the first part of the tag of a representation; "" where it has none.
func stateTag(body any) string {
	s, ok := body.(stated)
	if !ok {
		return ""
	}
	b, err := json.Marshal(s.state())
	if err != nil {
		return ""
	}
	return hashTag(b)
}

func hashTag(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:tagBytes])
}

// lookup reads what a path names as it is in r, in the form in which GET shows it.
type lookup func(ctx context.Context, r identity.StoreReader, name string) (any, error)

func (a *API) userIn(ctx context.Context, r identity.StoreReader, name string) (any, error) {
	acc, err := a.id.UserIn(ctx, r, name)
	if err != nil {
		return nil, err
	}
	return a.user(acc), nil
}

func (a *API) groupIn(ctx context.Context, r identity.StoreReader, name string) (any, error) {
	n, domain, err := identity.ParseAddress(name, a.domain())
	if err != nil {
		return nil, err
	}
	g, err := r.Group(ctx, domain, n)
	if err != nil {
		return nil, err
	}
	return a.groupOf(g), nil
}

func (a *API) applicationIn(ctx context.Context, r identity.StoreReader, id string) (any, error) {
	x, err := r.Application(ctx, id)
	if err != nil {
		return nil, err
	}
	return applicationJSON(x, 0), nil
}

func (a *API) rulesIn(ctx context.Context, r identity.StoreReader, _ string) (any, error) {
	rules, err := a.id.RulesIn(ctx, r)
	return ruleList(rules), err
}

// read reads one thing as a lookup has it.
func (a *API) read(ctx context.Context, find lookup, name string) (any, error) {
	return find(ctx, a.id.Reader(), name)
}

// targeted is an input that names a thing in its path.
type targeted interface{ target() string }

func (n Named) target() string      { return n.Name }
func (n GroupNamed) target() string { return n.Name }
func (n ByID) target() string       { return n.ID }

func targetOf(in any) string {
	if t, ok := in.(targeted); ok {
		return t.target()
	}
	return ""
}

// changed answers an If-Match that does not hold (RFC 9110 section 15.5.13).
func changed() *Problem {
	return newProblem(http.StatusPreconditionFailed, codeChanged, "It was changed meanwhile; nothing was done.",
		"Read it again, and send the change with the ETag of that answer.")
}

// condition makes If-Match a condition of what the handler changes: the question is asked in the
// transaction of the change.
func condition(t tags, find lookup, name string) *identity.Condition {
	return identity.NewCondition(func(ctx context.Context, r identity.StoreReader) error {
		now, err := find(ctx, r, name)
		if errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrInvalid) {
			return nil // the change itself says so, in its own words
		}
		if err != nil {
			return err
		}
		if !t.holds(stateTag(now)) {
			return changed()
		}
		return nil
	})
}

// tagWriter holds an answer back until its tag is known.
type tagWriter struct {
	http.ResponseWriter
	x      *exchange
	r      *http.Request
	status int
	body   bytes.Buffer
	passed bool // too large for a tag
}

func (w *tagWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *tagWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.passed && w.body.Len()+len(b) <= maxTagged {
		return w.body.Write(b)
	}
	if !w.passed {
		w.passed = true
		w.ResponseWriter.WriteHeader(w.status)
		if _, err := w.ResponseWriter.Write(w.body.Bytes()); err != nil {
			return 0, err
		}
		w.body = bytes.Buffer{}
	}
	return w.ResponseWriter.Write(b)
}

// finish gives the answer its tag, or makes it one that says that it is as it was (RFC 9110 section
// 15.4.5). Nothing is sent yet.
func (w *tagWriter) finish() {
	if w.passed {
		return
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	h := w.Header()
	read := readOnly(w.r.Method)
	if w.status != http.StatusOK || !read && w.x.state == "" {
		return
	}
	opaque := hashTag(w.body.Bytes(), []byte(h.Get("Link")))
	if w.x.state != "" {
		opaque = w.x.state + "." + opaque
	}
	h.Set("ETag", `"`+opaque+`"`)
	if read && w.x.noneMatch != nil && w.x.noneMatch.same(opaque) {
		h.Del("Content-Type")
		h.Del("Content-Length")
		w.status = http.StatusNotModified
		w.body.Reset()
	}
}

// send sends what was held back.
func (w *tagWriter) send() {
	if w.passed {
		return
	}
	w.ResponseWriter.WriteHeader(w.status)
	if w.body.Len() > 0 {
		_, _ = w.ResponseWriter.Write(w.body.Bytes()) // the client is gone, or not
	}
}
