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
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.wait())
	defer cancel()
	var r io.Reader = http.NoBody
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(b)
	}
	target := "http://trivium" + prefix + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, s.reachError(ctx, err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	if s.Verbose {
		fmt.Fprintf(s.stderr, "%s %s: %d\n", method, req.URL.Path, res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	if err != nil {
		return nil, s.reachError(ctx, err)
	}
	if res.StatusCode < 300 {
		return text, nil
	}
	var p problem
	if err := json.Unmarshal(text, &p); err != nil || p.Code == "" {
		return nil, fmt.Errorf("the server answered %s and no reason", res.Status)
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	return nil, &failure{exit: exitOf(p.Code), code: p.Code, message: p.Detail, hint: p.Hint}
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

// get reads one thing into out and returns its JSON as it came.
func (s *shell) get(path string, q url.Values, out any) ([]byte, error) {
	return s.send(http.MethodGet, path, q, nil, out)
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
