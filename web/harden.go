package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// requestKey is where what is known of a request stands in its context, a received.
type requestKey struct{}

type received struct {
	id   string
	from origin
}

// requestID returns the ID that pages show and the log has.
func requestID(r *http.Request) string {
	known, _ := r.Context().Value(requestKey{}).(received)
	return known.id
}

func newRequestID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// policy is what each HTML answer allows the browser. Scripts, styles and pictures are our own
// files; no markup may turn into script (Trusted Types) since no module of ours needs it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"font-src 'self'; connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func (s *Server) setHeaders(h http.Header, https bool) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if https {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// harden stands before everything else: request ID, security headers, limits of the request
// line, deadlines, the end of connections that a smuggler could use, and panics.
func (s *Server) harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		s.requests.Add(1)
		id := newRequestID()
		known := received{id, s.originOf(r)}
		r = s.below.enter(r.WithContext(context.WithValue(r.Context(), requestKey{}, known)))
		if known.from.host != "" {
			r.Host = known.from.host
		}
		rec := &recorder{ResponseWriter: w, below: s.below}
		s.setHeaders(w.Header(), s.secure(r))
		w.Header().Set("X-Request-Id", id)
		if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
			// RFC 9112 section 6.1: a message with both lengths ends its connection. net/http hides
			// the Content-Length that came beside Transfer-Encoding, so every such message does.
			w.Header().Set("Connection", "close")
		}
		rc := http.NewResponseController(w)
		// Errors mean that the writer knows no deadlines, as in HTTP/2 without a stream.
		_ = rc.SetReadDeadline(began.Add(s.opt.Limits.HTTPBodyTimeout))
		_ = rc.SetWriteDeadline(began.Add(s.opt.Limits.HTTPBodyTimeout + writeTimeout))
		defer func() {
			v := recover()
			if v != nil && v != http.ErrAbortHandler {
				s.log.Error("a page failed", "request", id, "panic", v, "stack", string(debug.Stack()))
				if !rec.wrote {
					http.Error(rec, "The page could not be made. Try again; if it stays so, tell the administrator. (request "+id+")", http.StatusInternalServerError)
				}
			}
			s.logRequest(r, rec, id, began)
			if v == http.ErrAbortHandler {
				panic(v)
			}
		}()
		switch {
		case len(r.RequestURI) > maxURL:
			http.Error(rec, "The address is longer than 8 kB. (request "+id+")", http.StatusRequestURITooLong)
		case r.Header.Get("Content-Encoding") != "" && !strings.EqualFold(r.Header.Get("Content-Encoding"), "identity"):
			// No transparent unpacking of requests: a small body could become a large one.
			http.Error(rec, "Packed request bodies are not accepted. (request "+id+")", http.StatusUnsupportedMediaType)
		default:
			next.ServeHTTP(rec, r)
		}
	})
}

func (s *Server) logRequest(r *http.Request, rec *recorder, id string, began time.Time) {
	level := slog.LevelDebug
	if rec.status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	// The path alone: a query may hold the set-up code.
	s.log.LogAttrs(r.Context(), level, "request", slog.String("request", id), slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes),
		slog.String("remote", s.remote(r).String()), slog.Duration("took", time.Since(began)))
}

// recorder notes what was answered. It has Unwrap for http.ResponseController, and the paths
// that keep sendfile go to the wrapped writer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	wrote  bool
	below  below
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) WriteHeader(status int) {
	if !w.wrote && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status, w.wrote = status, true
		w.below.headers(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if !w.wrote {
		w.status, w.wrote = http.StatusOK, true
		w.below.headers(w.Header())
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Flush is for those that look for http.Flusher.
func (w *recorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
