package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"runtime/debug"
	"strings"

	"trivium/identity"
	"trivium/web/auth"
)

const (
	maxBody  = 1 << 20 // bytes of a request
	maxDepth = 32      // of nested arrays and objects in it; our own forms need 3
)

// Handler serves /api/v1 to the network: each request brings a bearer token or Basic.
// The remote address is Request.RemoteAddr; whoever mounts the handler behind a trusted proxy
// has put the client's there.
func (a *API) Handler() http.Handler {
	cross := http.NewCrossOriginProtection()
	return a.recovered(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		route, found := a.match(r)
		if found && a.required(nil, r, route) == identity.LevelNone {
			a.serve(w, r, caller{}, route)
			return
		}
		// A browser keeps Basic credentials and would send them with another site's form.
		if err := cross.Check(r); err != nil {
			newProblem(http.StatusForbidden, codeRefused, "The request came from a page of another site.", "").write(w)
			return
		}
		c, err := a.authenticate(r)
		if err != nil {
			p := a.problem(r.Context(), err)
			if p.Status == http.StatusUnauthorized {
				challenge(w.Header())
			}
			p.write(w)
			return
		}
		if p := a.limits.limit(w.Header(), c, route, a.now()); p != nil {
			p.write(w)
			return
		}
		if !found || !c.allows(a.required(c.session, r, route)) {
			a.refuse(w, r, c)
			return
		}
		if route.Confirm && !c.fresh() {
			newProblem(http.StatusForbidden, codeRefused, "This needs a fresh proof of who you are, which this token is not.",
				"Use a token with scope admin too, or the password itself.").write(w)
			return
		}
		a.serve(w, r, c, route)
	})
}

// dangerous are the operations that ask for a fresh proof, as the pages do with "Confirm it is you".
func dangerous() []string {
	return []string{
		"change-policy", "import-policy", "undo-policy",
		"add-invite", "revoke-invite", "must-change",
		"add-ban", "lift-ban", "add-ban-allow", "remove-ban-allow",
		"import-users", "add-user", "set-user", "set-password", "disable-user", "enable-user", "remove-user", "export-user",
		"remove-factor", "remove-factors", "add-alias", "remove-alias",
		"add-group", "set-group", "remove-group", "add-members", "remove-members", "remove-member",
		"sync-source", "set-user-source", "remove-link",
		"fix-check", "set-config", "unset-config", "import-server-certificate", "make-server-certificate", "renew-server-certificate",
		"add-application", "set-application", "renew-application-secret", "remove-application",
		"add-webhook", "set-webhook", "rotate-webhook", "remove-webhook",
		"remove-backup", "download-backup", "stream-backup",
		"set-maintenance",
	}
}

// fresh reports whether the credential of the request is a proof that it is the person, or was given out
// for administration: a password comes with each request anew, and a token says so by its scope. Whoever
// holds the control socket holds the machine.
func (c caller) fresh() bool { return c.grant == nil || c.grant.Admin }

// Control serves the same routes to the control socket and to the command line's own process,
// with a fixed actor.
func (a *API) Control(actor identity.Actor) http.Handler {
	c := caller{actor: actor}
	return a.recovered(func(w http.ResponseWriter, r *http.Request) {
		// The policy table is not asked: whoever holds the machine repairs it from here.
		route, found := a.match(r)
		if !found || !c.allows(route.Level) {
			a.refuse(w, r, c)
			return
		}
		a.serve(w, r, c, route)
	})
}

func readOnly(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// serve bounds the body and hands over to the routes.
func (a *API) serve(w http.ResponseWriter, r *http.Request, c caller, route Route) {
	body, err := readBody(w, r)
	if err != nil {
		a.problem(r.Context(), err).write(w)
		return
	}
	if c.exchange, err = newExchange(w, r, route); err != nil {
		a.problem(r.Context(), err).write(w)
		return
	}
	if c.exchange.match != nil && !route.Conditional && !readOnly(r.Method) {
		newProblem(http.StatusPreconditionFailed, codeChanged, "This operation knows no If-Match; nothing was done.",
			"Send it without, where it is to be done whatever the state is.").write(w)
		return
	}
	if c.session != nil {
		c.session.CountIn(int64(len(body)))
		w = &counter{ResponseWriter: w, session: c.session}
	}
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r = withoutPage(r, c.exchange, route)
	if route.stream {
		a.mux.ServeHTTP(w, r)
		return
	}
	do := func(r *http.Request) *tagWriter {
		t := &tagWriter{ResponseWriter: w, x: c.exchange, r: r}
		a.mux.ServeHTTP(t, r)
		t.finish()
		return t
	}
	if r.Method == http.MethodPost && r.Header["Idempotency-Key"] != nil {
		a.keeper.once(a, w, r, c, body, do)
		return
	}
	do(r).send()
}

// match finds the operation of a request without running anything.
func (a *API) match(r *http.Request) (Route, bool) {
	escaped := r.URL.EscapedPath()
	if path.Clean(escaped) != escaped {
		return Route{}, false // the mux would redirect, and so tell that the path is there
	}
	_, pattern := a.mux.Handler(r)
	route, ok := a.routes[pattern]
	return route, ok
}

// refuse answers for what is not there or hidden; 405 only to those who may use the path in
// another way (RFC 9110 section 15.5.6).
func (a *API) refuse(w http.ResponseWriter, r *http.Request, c caller) {
	var allow []string
	for _, m := range []string{http.MethodDelete, http.MethodGet, http.MethodPatch, http.MethodPost, http.MethodPut} {
		if m == r.Method || r.Method == http.MethodHead && m == http.MethodGet {
			continue
		}
		other := r.Clone(r.Context())
		other.Method = m
		route, ok := a.match(other)
		if !ok {
			continue
		}
		need := route.Level
		if c.session != nil {
			need = a.required(c.session, r, route)
		}
		if c.allows(need) {
			allow = append(allow, m)
		}
	}
	if _, found := a.match(r); found || len(allow) == 0 {
		hidden().write(w)
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	newProblem(http.StatusMethodNotAllowed, codeMethod, "This path knows "+strings.Join(allow, ", ")+".", "").write(w)
}

// required is the level that a route needs: what it declares, raised by the policy table's rule
// for the path. A rule never lowers it: "web:/** = user" is about pages, and must not lay the
// audit log open.
func (a *API) required(ses *identity.Session, r *http.Request, route Route) identity.Level {
	return max(route.Level, a.id.RequiredOf(ses, identity.Resource("web:"+r.URL.Path), route.Level))
}

// challenge is RFC 9110 section 11.6.1.
func challenge(h http.Header) {
	h.Add("WWW-Authenticate", auth.Bearer)
	h.Add("WWW-Authenticate", auth.Basic)
}

// authenticate opens or finds the session of the credential that came.
func (a *API) authenticate(r *http.Request) (caller, error) {
	l, err := auth.Credential(r)
	if err != nil {
		return caller{}, err
	}
	ses, err := a.id.Request(r.Context(), identity.ProtocolAPI, auth.Visit(r), l)
	if err != nil {
		return caller{}, err
	}
	creds, ok := ses.Credentials()
	if !ok || creds.Anonymous() {
		return caller{}, identity.ErrCredentials
	}
	if creds.Grant != nil && !creds.Grant.API {
		return caller{}, identity.ErrRoadClosed
	}
	return caller{
		actor:   identity.Actor{User: creds.User, Level: ses.Level(), Via: "api", Remote: hostOf(ses.Remote())},
		session: ses, owner: creds.UserID, grant: creds.Grant,
	}, nil
}

// readBody reads what came, within bounds.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, newProblem(http.StatusRequestEntityTooLarge, codeTooLarge, "The body is larger than 1 MB.", "")
	case err != nil:
		return nil, newProblem(http.StatusBadRequest, codeInvalid, "The body could not be read to its end.", "")
	case tooDeep(body):
		return nil, newProblem(http.StatusBadRequest, codeInvalid, "The body nests too deep.", "")
	}
	return body, nil
}

// tooDeep counts brackets outside of strings; whether the rest is JSON the decoder says.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// counter adds what is sent to the session.
type counter struct {
	http.ResponseWriter
	session *identity.Session
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.session.CountOut(int64(n))
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// recovered keeps a fault in one request from being more than that; the command line runs the
// handler without a server around it.
func (a *API) recovered(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // the server's own way to cut a connection
			}
			a.log.ErrorContext(r.Context(), "api handler panicked", "event", "api.panic", "panic", v, "stack", string(debug.Stack()))
			newProblem(http.StatusInternalServerError, codeFailed, "Something went wrong on the server; its log has the reason.", "").write(w)
		}()
		next(w, r)
	})
}
