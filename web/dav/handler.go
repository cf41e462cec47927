package dav

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/httpio"
)

// Prefix begins every path.
const Prefix = "/dav"

// Identity is what the handler needs of identity.Service.
type Identity interface {
	Request(ctx context.Context, p identity.Protocol, v identity.Visit, l identity.Login) (*identity.Session, error)
	RequiredOf(ses *identity.Session, r identity.Resource, def ...identity.Level) identity.Level
}

// Options is what New needs. Identity and Files are required.
type Options struct {
	Identity Identity
	Files    *files.Service
	Pause    time.Duration // the longest that a body may stand still; 0: 30 s
	Below    string        // path that clients see Prefix below, such as "/trivium"; "": none
	Hosts    []string      // further names of this server, as in the Destination header behind a proxy
	Log      *slog.Logger  // nil: none
}

// Handler serves WebDAV. Its methods are safe for any goroutine.
type Handler struct {
	o     Options
	log   *slog.Logger
	cross *http.CrossOriginProtection

	transfers transfers
	buffers   sync.Pool // of *[]byte, for bodies
}

// New makes the handler.
func New(o Options) (*Handler, error) {
	if o.Identity == nil || o.Files == nil {
		return nil, errors.New("dav: Identity and Files are required")
	}
	if o.Pause <= 0 {
		o.Pause = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{o: o, log: o.Log, cross: http.NewCrossOriginProtection()}, nil
}

// Methods lists what the handler must be given.
func Methods() []string {
	return []string{http.MethodOptions, http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPost,
		"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"}
}

// ServeHTTP serves one request. The client's address is Request.RemoteAddr; whoever mounts the
// handler behind a trusted proxy has put it there.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" || r.URL.Path == "*" {
		root(w, r)
		return
	}
	q := &request{h: h, w: w, r: r, ctx: r.Context()}
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v) // the server's own way to cut a connection
		}
		h.log.ErrorContext(q.ctx, "webdav: a request panicked", "method", r.Method, "panic", v, "stack", string(debug.Stack()))
		q.fail(errFailed)
	}()
	if err := q.serve(); err != nil {
		q.fail(err)
	}
}

// root answers for the server's top, which is no WebDAV: the client of Windows asks there first
// whether the server speaks it at all.
func root(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, HEAD, OPTIONS")
	compliance(w.Header())
	if r.Method != http.MethodOptions {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// compliance is what the server speaks (RFC 4918 section 10.1); the second line is for Microsoft's
// clients.
func compliance(h http.Header) {
	h.Set("DAV", "1, 2")
	h.Set("MS-Author-Via", "DAV")
}

// request is one request.
type request struct {
	h   *Handler
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context

	ses    *identity.Session
	tree   *files.Tree // presents the tokens of the If header
	path   string      // in the tree, clean
	slash  bool        // the address ends in a slash
	tokens []string
	read   bool // the whole body
}

func (q *request) serve() error {
	h := q.w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	rest, ok := strings.CutPrefix(q.r.URL.Path, Prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return errHidden
	}
	if q.r.Method == http.MethodOptions {
		compliance(h)
	}
	// A browser keeps Basic credentials and would send them with another site's request.
	if err := q.h.cross.Check(q.r); err != nil {
		return errForeign
	}
	if err := q.authenticate(); err != nil {
		return err
	}
	var err error
	if q.path, err = files.Clean("/", rest); err != nil {
		return err
	}
	q.slash = strings.HasSuffix(rest, "/")
	if !q.sees(q.path) || !slices.Contains(Methods(), q.r.Method) {
		return errHidden
	}
	q.w = &httpio.Sender{ResponseWriter: q.w, Session: q.ses, Ended: identity.ErrEnded}
	q.tree = q.h.o.Files.View(q.ses)
	if err := q.conditions(); err != nil {
		return err
	}
	defer q.doing()()
	return q.dispatch()
}

// sees reports whether the session's level lets it know of a path below /dav/; rules about files
// are asked by package files.
func (q *request) sees(p string) bool {
	need := q.h.o.Identity.RequiredOf(q.ses, identity.Resource("web:"+strings.TrimSuffix(Prefix+p, "/")), identity.LevelLoggedIn)
	return q.ses.Level().Allows(need)
}

func (q *request) dispatch() error {
	switch q.r.Method {
	case http.MethodOptions:
		return q.options()
	case http.MethodGet, http.MethodHead:
		return q.get()
	case http.MethodPut:
		return q.put()
	case http.MethodDelete:
		return q.remove()
	case "MKCOL":
		return q.mkcol()
	case "COPY":
		return q.copy()
	case "MOVE":
		return q.move()
	case "LOCK":
		return q.lock()
	case "UNLOCK":
		return q.unlock()
	case "PROPFIND":
		return q.propfind()
	case "PROPPATCH":
		return q.proppatch()
	}
	return errMethod
}

// doing shows in the list of sessions what goes on, until the returned func is called.
func (q *request) doing() (done func()) {
	if q.r.Method == http.MethodOptions || q.r.Method == "PROPFIND" {
		return func() {}
	}
	what := q.r.Method + " " + q.path
	q.ses.Update(func(d *identity.Details) { d.Doing = what })
	return func() {
		q.ses.Update(func(d *identity.Details) {
			if d.Doing == what { // another request of the session may have begun since
				d.Doing = ""
			}
		})
	}
}

func (q *request) options() error {
	q.w.Header().Set("Allow", q.allow())
	q.w.Header().Set("Content-Length", "0")
	q.w.WriteHeader(http.StatusOK)
	return nil
}

// allow lists what the entry takes (RFC 9110 section 10.2.1).
func (q *request) allow() string {
	if q.tree == nil {
		return strings.Join(Methods(), ", ")
	}
	i, err := q.stat(q.path)
	switch {
	case err != nil:
		return "OPTIONS, MKCOL, PUT, LOCK"
	case i.Dir:
		return "OPTIONS, GET, HEAD, PROPFIND, PROPPATCH, COPY, MOVE, DELETE, LOCK, UNLOCK"
	}
	return "OPTIONS, GET, HEAD, PUT, PROPFIND, PROPPATCH, COPY, MOVE, DELETE, LOCK, UNLOCK"
}

// stat is what stands there for a WebDAV client; an unfinished upload does not.
func (q *request) stat(p string) (files.Info, error) {
	i, err := q.tree.Stat(q.ctx, p)
	if err == nil && i.Part {
		err = absent(p)
	}
	return i, err
}

// patient lifts the deadline for reading, for what may take long while no byte moves: net/http waits
// for the next request meanwhile, and would take its end for the client's. Where a body came that
// nobody has read, the deadline stays, since the answer goes only when the rest of it has come.
func (q *request) patient() {
	if q.r.ContentLength != 0 && !q.read {
		return
	}
	_ = http.NewResponseController(q.w).SetReadDeadline(time.Time{}) // an error: there are none
}
