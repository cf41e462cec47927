package dav

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"trivium/identity"
	"trivium/internal/httpio"
)

const (
	maxRanges = 16
	// userContent is the policy of bytes that a person stored: they may do nothing on our origin.
	userContent = "sandbox; default-src 'none'; frame-ancestors 'none'"
)

// get sends a file, whole or in ranges (RFC 9110 section 14). A folder has no content of its own:
// who opens it in a browser is sent to the page of that folder.
func (q *request) get() error {
	i, err := q.stat(q.path)
	if err != nil {
		return err
	}
	if i.Dir {
		at := strings.TrimSuffix("/files"+q.path, "/") + "/"
		q.w.Header().Set("Location", (&url.URL{Path: at}).EscapedPath())
		q.w.Header().Set("Content-Length", "0")
		q.w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	f, err := q.tree.Open(q.ctx, q.path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	i = f.Info()
	h := q.w.Header()
	h.Set("Content-Security-Policy", userContent)
	h.Set("Content-Disposition", httpio.Attachment(path.Base(q.path)))
	h.Set("Content-Type", contentType(q.path))
	h.Set("ETag", etag(i))
	if strings.Count(q.r.Header.Get("Range"), ",") >= maxRanges {
		q.r.Header.Del("Range") // RFC 9110 section 14.2: a server may ignore Range
	}
	var content io.ReadSeeker = f
	if o, ok := f.OS(); ok {
		content = o // lets the kernel send it
	}
	q.patient()
	t := q.begin(identity.DirectionOut, i.Size, f.Still, httpio.CutWrites)
	defer t.end()
	q.w.(*httpio.Sender).Moved = t.meter.Moved
	q.w.(*httpio.Sender).Session = t.watch
	http.ServeContent(q.w, q.r, "", i.ModTime, content)
	return nil
}

func contentType(p string) string {
	if kind := mime.TypeByExtension(path.Ext(p)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}
