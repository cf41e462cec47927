package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
)

// What is wrong with a request's body, or with where it comes from.
var (
	errForeign   = errors.New("the request comes from another site")
	errToken     = errors.New("the form is out of date")
	errMalformed = errors.New("the form cannot be read")
	errTooLarge  = errors.New("the form is too large")
	errSlow      = errors.New("the form took too long")
	errMediaType = errors.New("the form has an unknown type")
)

// tokenField is the hidden field of each form.
const tokenField = "csrf"

// checkChange lets a request in that changes something only from our own pages.
func (s *Server) checkChange(v *visit, r *route) error {
	switch v.Request().Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	case http.MethodPost:
		if !r.upload || !v.byScript() {
			return s.checkForm(v, r)
		}
	}
	return s.checkScript(v)
}

// checkForm lets a change in only from our own pages: by where the browser says it comes from
// (Sec-Fetch-Site, Origin) and by the session's token in the form. A multipart body is streamed;
// its handler checks the token, which is the first part.
func (s *Server) checkForm(v *visit, r *route) error {
	req := v.Request()
	if err := s.origins.Check(req); err != nil {
		return errForeign
	}
	kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		return errMediaType
	}
	if kind == "multipart/form-data" && r.upload {
		return nil
	}
	if kind != "application/x-www-form-urlencoded" {
		return errMediaType
	}
	req.Body = http.MaxBytesReader(v.Response().Writer, req.Body, maxForm)
	if err := req.ParseForm(); err != nil { // ParseMultipartForm and FormValue would hide the error
		return bodyError(err)
	}
	if v.browser != nil {
		v.browser.CountIn(max(0, req.ContentLength))
	}
	return v.checkToken(req.PostForm.Get(tokenField))
}

// checkToken compares in constant time; without a session no token is right.
func (v *visit) checkToken(sent string) error {
	if v.browser == nil {
		return errToken
	}
	want := v.browser.CSRFToken()
	bare := subtle.ConstantTimeCompare([]byte(want), []byte(sent)) // of a service that has it by introspection
	if want == "" || bare|subtle.ConstantTimeCompare([]byte(want), []byte(unmasked(sent))) != 1 {
		return errToken
	}
	return nil
}

// maskedToken is the token as a page has it: a mask of random bytes, and the token under it. No two pages
// have the same, so that nothing can be learned from how well they pack.
func maskedToken(token string) string {
	b := make([]byte, 2*len(token))
	mask, under := b[:len(token)], b[len(token):]
	_, _ = rand.Read(mask) // never fails
	subtle.XORBytes(under, mask, []byte(token))
	return base64.RawURLEncoding.EncodeToString(b)
}

// unmasked is the token that was masked, or "" for what never was one.
func unmasked(sent string) string {
	b, err := base64.RawURLEncoding.DecodeString(sent)
	if err != nil || len(b)%2 != 0 {
		return ""
	}
	n := len(b) / 2
	subtle.XORBytes(b[:n], b[:n], b[n:])
	return string(b[:n])
}

// bodyError says what cut a body.
func bodyError(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errMalformed
	}
	return errMalformed
}
