package dav

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/httpio"
)

// fault is an error of a request itself, with its answer.
type fault struct {
	status int
	text   string
	cond   string // the precondition of RFC 4918 section 16 that failed, without its namespace
	href   string // what the precondition is about; "" where it is about nothing
}

func (f *fault) Error() string { return f.text }

var (
	errHidden      = &fault{status: http.StatusNotFound, text: "There is nothing here."}
	errForeign     = &fault{status: http.StatusForbidden, text: "The request came from a page of another site."}
	errMethod      = &fault{status: http.StatusMethodNotAllowed, text: "That cannot be done here."}
	errFailed      = &fault{status: http.StatusInternalServerError, text: "Something went wrong on the server; its log has the reason."}
	errBody        = &fault{status: http.StatusBadRequest, text: "The body cannot be read: it must be well-formed XML without a document type."}
	errLarge       = &fault{status: http.StatusRequestEntityTooLarge, text: "The body is too large."}
	errMedia       = &fault{status: http.StatusUnsupportedMediaType, text: "A folder is made without a body."}
	errDepth       = &fault{status: http.StatusBadRequest, text: "The Depth header does not fit."}
	errFinite      = &fault{status: http.StatusForbidden, text: "List one folder at a time: Depth 0 or 1.", cond: "propfind-finite-depth"}
	errIf          = &fault{status: http.StatusBadRequest, text: "The If header cannot be read."}
	errCondition   = &fault{status: http.StatusPreconditionFailed, text: "A precondition of the request does not hold."}
	errDestination = &fault{status: http.StatusBadRequest, text: "The Destination header is missing or is no address."}
	errElsewhere   = &fault{status: http.StatusBadGateway, text: "The destination is not on this server below " + Prefix + "/."}
	errItself      = &fault{status: http.StatusForbidden, text: "One of source and destination holds the other, or they are the same."}
	errRange       = &fault{status: http.StatusBadRequest, text: "A part of a file cannot be written: send it whole."}
	errParent      = &fault{status: http.StatusConflict, text: "The folder that it would lie in does not exist."}
	errTaken       = &fault{status: http.StatusMethodNotAllowed, text: "Something of this name is there already."}
	errLockInfo    = &fault{status: http.StatusBadRequest, text: "The body does not say which lock is wanted: exclusive or shared, for writing."}
	errLockToken   = &fault{status: http.StatusBadRequest, text: "The Lock-Token header is missing or holds no token in angle brackets."}
	errNoLock      = &fault{status: http.StatusConflict, text: "No lock of that token is here.", cond: "lock-token-matches-request-uri"}
	errRefresh     = &fault{status: http.StatusPreconditionFailed, text: "No lock of yours with that token is here.", cond: "lock-token-matches-request-uri"}
	errCut         = &fault{status: http.StatusBadRequest, text: "The body ended before its end; nothing was stored."}
	errStopped     = &fault{status: http.StatusForbidden, text: "Somebody has stopped the transfer; nothing was stored."}
	errSlow        = &fault{status: http.StatusRequestTimeout, text: "The body stood still for too long; nothing was stored."}
)

// answers says what each error of identity and files becomes; the first match wins.
var answers = []struct {
	err    error
	status int
	cond   string
	text   string
}{
	{identity.ErrCredentials, http.StatusUnauthorized, "", unauthorized},
	{identity.ErrDisabled, http.StatusUnauthorized, "", unauthorized},
	{identity.ErrExpired, http.StatusUnauthorized, "", unauthorized},
	{identity.ErrRoadClosed, http.StatusUnauthorized, "", unauthorized},
	{identity.ErrFactor, http.StatusUnauthorized, "", unauthorized},
	{identity.ErrCertificate, http.StatusUnauthorized, "", unauthorized},
	{identity.ErrMustChange, http.StatusUnauthorized, "", unauthorized},
	{identity.ErrEnded, http.StatusUnauthorized, "", unauthorized},
	{identity.ErrTLSRequired, http.StatusForbidden, "", "From your address this needs https."},
	{identity.ErrClassDenied, http.StatusForbidden, "", "Connections from your address are not allowed."},
	{identity.ErrBanned, http.StatusForbidden, "", "Too many wrong log-ins from your address; try again later."},
	{identity.ErrThrottled, http.StatusTooManyRequests, "", "Too many attempts; try again later."},
	{identity.ErrSessions, http.StatusTooManyRequests, "", "Too many sessions are open; close one and try again."},
	{identity.ErrConnections, http.StatusTooManyRequests, "", "Too many connections; try again later."},
	{identity.ErrBusy, http.StatusServiceUnavailable, "", "The server is busy; try again in a moment."},
	{identity.ErrMaintenance, http.StatusServiceUnavailable, "", "The server is in maintenance; try again later."},
	{identity.ErrUnavailable, http.StatusServiceUnavailable, "", "The accounts cannot be reached now; try again later."},
	{identity.ErrHidden, http.StatusNotFound, "", errHidden.text},
	{identity.ErrNotFound, http.StatusNotFound, "", errHidden.text},
	{identity.ErrExists, http.StatusConflict, "", "It exists already."},
	{identity.ErrInvalid, http.StatusBadRequest, "", "That is not valid."},
	{identity.ErrRefused, http.StatusForbidden, "", "You may not do that."},

	{files.ErrQuota, http.StatusInsufficientStorage, "quota-not-exceeded", "The quota is full: delete something, or ask for more room."}, // RFC 4331 section 6
	{files.ErrNoSpace, http.StatusInsufficientStorage, "sufficient-disk-space", "The server's disk is full; try later, and tell the administrator."},
	{files.ErrName, http.StatusBadRequest, "", "The name is not allowed: reserved, too long, not UTF-8, or with a control character."},
	{files.ErrIsDir, http.StatusConflict, "", "A folder of that name is there."},
	{files.ErrNotDir, http.StatusConflict, "", "A part of the path is a file."},
	{files.ErrNotEmpty, http.StatusConflict, "", "The folder is not empty."},
	{files.ErrOffset, http.StatusConflict, "", "The upload cannot go on there."},
	{files.ErrBusy, http.StatusLocked, "", "Somebody is writing it; try again when that is done."},
	{files.ErrLocked, http.StatusLocked, "lock-token-submitted", "It is locked, and the request has not its token."},
	{files.ErrNoLock, http.StatusConflict, "lock-token-matches-request-uri", "No lock of that token is here."},
	{files.ErrLocks, http.StatusInsufficientStorage, "", "Too many locks are held; give some back."},
	{files.ErrUnsupported, http.StatusNotImplemented, "", "The storage here cannot do that."},
	{fs.ErrNotExist, http.StatusNotFound, "", errHidden.text},
	{fs.ErrPermission, http.StatusForbidden, "", "You may not do that here: owner, group and mode decide."},
	{fs.ErrExist, http.StatusConflict, "", "Something of this name is there already."},
	{context.Canceled, http.StatusRequestTimeout, "", "The request was broken off."},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "", "The server took too long; try again."},
}

const unauthorized = "No valid credential came with the request: send name and password, or an app password in its place."

// answer finds the answer to any error; false where no row names it.
func answer(err error) (*fault, bool) {
	var f *fault
	if errors.As(err, &f) {
		return f, true
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return &fault{status: a.status, text: words(err, a.text), cond: a.cond}, true
		}
	}
	return errFailed, false
}

// words is what the error itself says, where that was written for people, else text.
func words(err error, text string) string {
	if name := (*files.NameError)(nil); errors.As(err, &name) {
		return "That name is not allowed: " + name.Why + "."
	}
	if soft := (*files.SoftLimitError)(nil); errors.As(err, &soft) {
		return "Refused: " + soft.Error() + "."
	}
	if said := identity.MaintenanceMessage(err); said != "" {
		return "The server is in maintenance: " + said
	}
	return text
}

// absent is the error for what is not there.
func absent(p string) error { return &fs.PathError{Op: "stat", Path: p, Err: fs.ErrNotExist} }

// fail answers an error.
func (q *request) fail(err error) {
	f, known := answer(err)
	if !known {
		q.h.log.ErrorContext(q.ctx, "webdav: a request failed", "method", q.r.Method, "path", q.path, "session", q.ses, "err", err)
	}
	h := q.w.Header()
	switch f.status {
	case http.StatusUnauthorized:
		challenge(h)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", q.allow())
	}
	if after := identity.RetryAfter(err); after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	body, kind := f.text+"\n", "text/plain; charset=utf-8"
	if f.cond != "" {
		about := f.href
		if about == "" && f.cond == "lock-token-submitted" {
			about = q.href(q.path, false)
		}
		body, kind = xmlHeader+`<D:error xmlns:D="DAV:">`+condition(f.cond, about)+"</D:error>\n", xmlType
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	q.w.WriteHeader(f.status)
	if q.r.Method == http.MethodHead {
		return
	}
	out := q.w
	if s, ok := out.(*httpio.Sender); ok {
		out = s.ResponseWriter // an ended session is told that it has
	}
	_, _ = io.WriteString(out, body) // the client may have gone
}

const (
	xmlHeader = `<?xml version="1.0" encoding="utf-8"?>` + "\n"
	xmlType   = "application/xml; charset=utf-8"
)

func condition(name, about string) string {
	if about == "" {
		return "<D:" + name + "/>"
	}
	return "<D:" + name + "><D:href>" + escape(about) + "</D:href></D:" + name + ">"
}

// partly answers an operation on a folder that failed at something in it (RFC 4918 section 13): 207
// with that one's status. Where the fault is the entry's own, or the operation is on a file, the
// error is the answer.
func (q *request) partly(err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) || at.Path == q.path || !strings.HasPrefix(at.Path, strings.TrimSuffix(q.path, "/")+"/") {
		return err
	}
	f, known := answer(err)
	if !known {
		return err
	}
	cond := ""
	if f.cond != "" {
		cond = "<D:error>" + condition(f.cond, q.href(at.Path, false)) + "</D:error>"
	}
	body := xmlHeader + `<D:multistatus xmlns:D="DAV:"><D:response><D:href>` + escape(q.href(at.Path, false)) + "</D:href><D:status>HTTP/1.1 " +
		strconv.Itoa(f.status) + " " + http.StatusText(f.status) + "</D:status>" + cond +
		"<D:responsedescription>" + escape(f.text) + "</D:responsedescription></D:response></D:multistatus>\n"
	q.w.Header().Set("Content-Type", xmlType)
	q.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	q.w.WriteHeader(http.StatusMultiStatus)
	_, _ = io.WriteString(q.w, body) // the client may have gone
	return nil
}

// href is the address of a path: absolute, escaped, folders with a slash at the end.
func (q *request) href(p string, dir bool) string {
	p = q.h.o.Below + Prefix + p
	if dir && !strings.HasSuffix(p, "/") {
		p += "/"
	}
	return (&url.URL{Path: p}).EscapedPath()
}

// cut says what ended a body.
func cut(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlow
	}
	if errors.Is(err, identity.ErrEnded) {
		return err
	}
	return errCut
}
