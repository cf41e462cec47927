package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	prefix      = "/api/v1"
	maxResponse = 256 << 20 // bytes; every session of a full server is about 40 MB
)

// problem is an error of the API (RFC 9457).
type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Title  string `json:"title"`
	Hint   string `json:"hint"`
}

// query builds the query of a request without the empty values.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// at joins segments of a path, each escaped.
func at(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		// A segment of dots alone would vanish when the path is cleaned.
		if strings.Trim(s, ".") == "" {
			b.WriteString(strings.ReplaceAll(s, ".", "%2E"))
			continue
		}
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// call sends one request and returns the body of a success.
func (s *shell) call(method, path string, q url.Values, body any) ([]byte, error) {
	text, _, err := s.exchange(method, path, q, body)
	return text, err
}

// exchange is call with the fields of the answer's head.
func (s *shell) exchange(method, path string, q url.Values, body any) ([]byte, http.Header, error) {
	c, err := s.connect()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.wait())
	defer cancel()
	var r io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, nil, err
		}
		r = bytes.NewReader(b)
	}
	target := "http://trivium" + prefix + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return nil, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, nil, s.reachError(ctx, err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	if s.Verbose {
		fmt.Fprintf(s.stderr, "%s %s: %d\n", method, req.URL.Path, res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	if err != nil {
		return nil, nil, s.reachError(ctx, err)
	}
	if res.StatusCode < 300 {
		return text, res.Header, nil
	}
	var p problem
	if err := json.Unmarshal(text, &p); err != nil || p.Code == "" {
		return nil, nil, fmt.Errorf("the server answered %s and no reason", res.Status)
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	return nil, nil, &failure{exit: exitOf(p.Code), code: p.Code, message: p.Detail, hint: p.Hint}
}

func (s *shell) reachError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return connectError(context.DeadlineExceeded)
	}
	f := &failure{exit: exitNotRunning, code: "not_running", message: "the server cannot be reached: " + err.Error()}
	if s.Socket != "" {
		f.hint = "start it with: trivium serve; --socket says which one was tried"
	}
	return f
}

// fetch is get for a command that only shows what it gets: with --json it has shown it already.
func (s *shell) fetch(path string, q url.Values, out any) (shown bool, err error) {
	body, err := s.get(path, q, out)
	if err != nil || !s.JSON {
		return false, err
	}
	return true, s.json(body)
}

// get reads one thing, or a list with all its pages, into out, and returns its JSON as it came. Who
// gives a limit wants one page; the audit log has no end.
func (s *shell) get(path string, q url.Values, out any) ([]byte, error) {
	text, head, err := s.exchange(http.MethodGet, path, q, nil)
	for next := nextPage(head); err == nil && next != "" && !q.Has("limit") && path != "/audit"; next = nextPage(head) {
		var more []byte
		all := url.Values{"cursor": {next}}
		for name, values := range q {
			all[name] = values
		}
		if more, head, err = s.exchange(http.MethodGet, path, all, nil); err == nil {
			text, err = joinArrays(text, more)
		}
	}
	if err != nil || out == nil || len(text) == 0 {
		return text, err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	return text, nil
}

// nextPage is the cursor in a Link of the relation next (RFC 8288); "" where there is none.
func nextPage(head http.Header) string {
	link, ok := strings.CutSuffix(head.Get("Link"), `>; rel="next"`)
	if !ok {
		return ""
	}
	u, err := url.Parse(strings.TrimPrefix(link, "<"))
	if err != nil {
		return ""
	}
	return u.Query().Get("cursor")
}

// send is call with the answer read into out.
func (s *shell) send(method, path string, q url.Values, body, out any) ([]byte, error) {
	text, err := s.call(method, path, q, body)
	if err != nil || out == nil || len(text) == 0 {
		return text, err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	return text, nil
}

// submit is send, and prints the answer where JSON is wanted; shown says that it did.
func (s *shell) submit(method, path string, q url.Values, body, out any) (shown bool, err error) {
	text, err := s.send(method, path, q, body, out)
	if err != nil || !s.JSON {
		return false, err
	}
	return true, s.json(text)
}

// joinArrays makes one JSON array of two.
func joinArrays(a, b []byte) ([]byte, error) {
	a, b = bytes.TrimSpace(a), bytes.TrimSpace(b)
	if len(a) == 0 {
		return b, nil
	}
	var x, y []json.RawMessage
	if err := json.Unmarshal(a, &x); err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	return json.Marshal(append(x, y...))
}
