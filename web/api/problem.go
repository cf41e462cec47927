package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"trivium/identity"
)

// Problem is an answer that is no success (RFC 9457). Code is stable and for programs; Detail
// and Hint are sentences for people.
type Problem struct {
	Type   string   `json:"type" doc:"about:blank: code says what kind it is"`
	Title  string   `json:"title" doc:"the HTTP status in words"`
	Status int      `json:"status"`
	Code   string   `json:"code" doc:"stable: not_found, exists, invalid, refused, unauthorized, …"`
	Detail string   `json:"detail,omitempty"`
	Hint   string   `json:"hint,omitempty" doc:"what to do next"`
	Errors []string `json:"errors,omitempty" doc:"each fault of the input"`

	header http.Header
}

// The codes.
const (
	codeNotFound     = "not_found"
	codeExists       = "exists"
	codeInvalid      = "invalid"
	codeRefused      = "refused"
	codeUnauthorized = "unauthorized"
	codeThrottled    = "throttled"
	codeBanned       = "banned"
	codeBusy         = "busy"
	codeTLS          = "tls_required"
	codeTooMany      = "too_many"
	codeUnavailable  = "unavailable"
	codeMethod       = "method_not_allowed"
	codeTooLarge     = "too_large"
	codeMedia        = "unsupported_media_type"
	codeTimeout      = "timeout"
	codeUnsupported  = "unsupported"
	codeQuota        = "quota"
	codeChanged      = "changed"
	codeReused       = "key_reused"
	codeUnknown      = "outcome_unknown"
	codeFailed       = "failed"
	codeMaintenance  = "maintenance"
)

// Error is Detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders is for huma.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType is that of RFC 9457 section 3.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, code, detail, hint string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Hint: hint}
}

// notFound is about a named thing inside what the caller may see.
func notFound(what, name, near string) *Problem {
	hint := ""
	if near != "" {
		hint = fmt.Sprintf("Did you mean %q?", near)
	}
	return newProblem(http.StatusNotFound, codeNotFound, fmt.Sprintf("no %s %q", what, name), hint)
}

func invalid(format string, args ...any) error {
	return newProblem(http.StatusUnprocessableEntity, codeInvalid, fmt.Sprintf(format, args...), "")
}

// hidden is the answer for what is not there and for what the caller's level hides: the same
// bytes for every path.
func hidden() *Problem {
	return newProblem(http.StatusNotFound, codeNotFound, "There is no such resource.", "")
}

// unauthorized is the answer to every credential that does not count, whatever was wrong with it.
func unauthorized() *Problem {
	return newProblem(http.StatusUnauthorized, codeUnauthorized, "No valid credential came with the request.",
		"Send a token with scope api as a bearer token: trivium token issue LOGIN --scope api.")
}

// answers says what each error of identity becomes; the first match wins.
func answers() []struct {
	err    error
	status int
	code   string
} {
	return []struct {
		err    error
		status int
		code   string
	}{
		{identity.ErrNotFound, http.StatusNotFound, codeNotFound},
		{identity.ErrHidden, http.StatusNotFound, codeNotFound},
		{identity.ErrExists, http.StatusConflict, codeExists},
		{identity.ErrInvalid, http.StatusUnprocessableEntity, codeInvalid},
		{identity.ErrRefused, http.StatusForbidden, codeRefused},
		{identity.ErrCredentials, http.StatusUnauthorized, codeUnauthorized},
		{identity.ErrDisabled, http.StatusUnauthorized, codeUnauthorized},
		{identity.ErrExpired, http.StatusUnauthorized, codeUnauthorized},
		{identity.ErrRoadClosed, http.StatusUnauthorized, codeUnauthorized},
		{identity.ErrFactor, http.StatusUnauthorized, codeUnauthorized},
		{identity.ErrCertificate, http.StatusUnauthorized, codeUnauthorized},
		{identity.ErrMustChange, http.StatusUnauthorized, codeUnauthorized},
		{identity.ErrEnded, http.StatusUnauthorized, codeUnauthorized},
		{identity.ErrTLSRequired, http.StatusForbidden, codeTLS},
		{identity.ErrClassDenied, http.StatusForbidden, codeRefused},
		{identity.ErrBanned, http.StatusForbidden, codeBanned},
		{identity.ErrThrottled, http.StatusTooManyRequests, codeThrottled},
		{identity.ErrSessions, http.StatusTooManyRequests, codeTooMany},
		{identity.ErrConnections, http.StatusTooManyRequests, codeTooMany},
		{identity.ErrBusy, http.StatusServiceUnavailable, codeBusy},
		{identity.ErrMaintenance, http.StatusServiceUnavailable, codeMaintenance},
		{identity.ErrUnavailable, http.StatusServiceUnavailable, codeUnavailable},
		{errors.ErrUnsupported, http.StatusNotImplemented, codeUnsupported},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, codeTimeout},
		{context.Canceled, http.StatusServiceUnavailable, codeTimeout},
	}
}

// problem turns any error into an answer. What the table does not know is logged and told
// nobody.
func (a *API) problem(ctx context.Context, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	for _, row := range answers() {
		if !errors.Is(err, row.err) {
			continue
		}
		if row.status == http.StatusUnauthorized {
			p := unauthorized()
			if errors.Is(err, identity.ErrFactor) || errors.Is(err, identity.ErrMustChange) {
				p.Detail = sentence(err, row.err)
			}
			return p
		}
		p := newProblem(row.status, row.code, sentence(err, row.err), "")
		if row.code == codeUnsupported {
			p.Detail = "This server cannot do that."
		}
		if after := identity.RetryAfter(err); after > 0 {
			p.header = http.Header{"Retry-After": {strconv.Itoa(int((after + time.Second - 1) / time.Second))}}
		} else if row.status == http.StatusServiceUnavailable {
			p.header = http.Header{"Retry-After": {"1"}}
		}
		return p
	}
	a.log.ErrorContext(ctx, "api request failed", slogErr(err)...)
	return newProblem(http.StatusInternalServerError, codeFailed, "Something went wrong on the server; its log has the reason.", "")
}

func slogErr(err error) []any { return []any{"event", "api.failed", "err", err.Error()} }

// sentence leaves out the sentinel that a wrapped error ends with: its code says that already.
func sentence(err, sentinel error) string {
	return strings.TrimSuffix(err.Error(), ": "+sentinel.Error())
}

// problems is the transformer that gives huma's own errors our form. Values are left out: one may
// be a password.
func problems(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem(m.Status, codeInvalid, m.Detail, "")
	switch m.Status {
	case http.StatusRequestEntityTooLarge:
		p.Code = codeTooLarge
	case http.StatusUnsupportedMediaType:
		p.Code, p.Hint = codeMedia, "Send application/json."
	case http.StatusRequestTimeout:
		p.Code = codeTimeout
	case http.StatusInternalServerError:
		p.Code, p.Detail = codeFailed, "Something went wrong on the server; its log has the reason."
		return p, nil
	}
	for _, e := range m.Errors {
		if e == nil {
			continue
		}
		text := e.Message
		if e.Location != "" {
			text = strings.TrimPrefix(e.Location, "body.") + ": " + e.Message
		}
		p.Errors = append(p.Errors, text)
	}
	if len(p.Errors) > 0 {
		p.Detail = strings.Join(p.Errors, "; ")
	}
	return p, nil
}

// write sends p without the help of huma.
func (p *Problem) write(w http.ResponseWriter) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	b, err := json.Marshal(p)
	if err != nil {
		return // strings and a number: cannot happen
	}
	_, _ = w.Write(append(b, '\n'))
}
