package web

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
)

const (
	maxRanges = 16
	// stall is how long one slice of a download may take: below about 9 kB/s it is cut.
	stall         = time.Minute
	downloadSlice = 512 << 10
)

// userContent is the policy of bytes that a person stored: they may do nothing on our origin.
const userContent = "sandbox; default-src 'none'; frame-ancestors 'none'"

// download sends a file, whole or in ranges (RFC 9110 section 14), always as an attachment.
func (s *Server) download(v *visit, tree *files.Tree, p string) error {
	f, err := tree.Open(v.ctx(), p)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	info := f.Info()
	name := path.Base(p)
	h := v.Response().Header()
	h.Set("Content-Security-Policy", userContent)
	h.Set("Content-Disposition", attachment(name))
	h.Set("Cache-Control", "private, no-cache")
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.Size, info.ModTime.UnixNano()))
	req := v.Request()
	if strings.Count(req.Header.Get("Range"), ",") >= maxRanges {
		req.Header.Del("Range") // RFC 9110 section 14.2: a server may ignore Range
	}
	var content io.ReadSeeker = f
	if o, ok := f.OS(); ok {
		content = o // lets the kernel send it
	}
	v.long()
	done := v.doing("GET " + p)
	defer done()
	w := &sender{ResponseWriter: v.Response().Writer, session: v.browser.Session}
	http.ServeContent(w, req, name, info.ModTime, content)
	return nil
}

// doing shows in the list of sessions what goes on, until the returned func is called.
func (v *visit) doing(what string) (done func()) {
	v.browser.Update(func(d *identity.Details) { d.Doing = what })
	return func() { v.browser.Update(func(d *identity.Details) { d.Doing = "" }) }
}

// sender passes a file on in slices, so that each gets its own deadline, the bytes are counted
// while they go, and a session that ends takes its downloads with it. A slice reaches the
// connection as a *os.File behind one LimitedReader, which is what sendfile(2) needs.
type sender struct {
	http.ResponseWriter
	session *identity.Session
}

func (w *sender) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *sender) renew() error {
	select {
	case <-w.session.Ended():
		return identity.ErrEnded
	default:
	}
	w.session.Touch()
	return http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(stall))
}

func (w *sender) Write(b []byte) (int, error) {
	if err := w.renew(); err != nil {
		return 0, err
	}
	n, err := w.ResponseWriter.Write(b)
	w.session.CountOut(int64(n))
	return n, err
}

func (w *sender) ReadFrom(src io.Reader) (total int64, err error) {
	all, ok := src.(*io.LimitedReader)
	to := readerFrom(w.ResponseWriter)
	if !ok || to == nil {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	for all.N > 0 {
		if err := w.renew(); err != nil {
			return total, err
		}
		slice := &io.LimitedReader{R: all.R, N: min(all.N, downloadSlice)}
		n, err := to.ReadFrom(slice)
		all.N -= n
		total += n
		w.session.CountOut(n)
		if err != nil {
			return total, err
		}
		if n == 0 {
			return total, nil // the file became shorter meanwhile
		}
	}
	return total, nil
}

// readerFrom finds the connection's own ReadFrom below the wrappers; HTTP/2 has none.
func readerFrom(w http.ResponseWriter) io.ReaderFrom {
	for {
		if rf, ok := w.(io.ReaderFrom); ok {
			return rf
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = u.Unwrap()
	}
}
