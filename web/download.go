package web

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/httpio"
)

const maxRanges = 16

// userContent is the policy of bytes that a person stored: they may do nothing on our origin.
const userContent = "sandbox; default-src 'none'; frame-ancestors 'none'"

// download sends a file, whole or in ranges (RFC 9110 section 14), always as an attachment.
func (s *Server) download(v *visit, tree *files.Tree, p string) error {
	f, err := tree.Open(v.ctx(), p)
	if err != nil {
		return err
	}
	return s.sendFile(v, f, p)
}

// sendFile sends what has been opened, and closes it; p gives it its name.
func (s *Server) sendFile(v *visit, f *files.File, p string) error {
	defer f.Close() // only read
	info := f.Info()
	name := path.Base(p)
	h := v.Response().Header()
	h.Set("Content-Security-Policy", userContent)
	h.Set("Content-Disposition", httpio.Attachment(name))
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
	r := v.run("GET", identity.DirectionOut, p, info.Size, 0, f.Still, httpio.CutWrites)
	defer func() { _ = r.end() }()
	w := &httpio.Sender{ResponseWriter: v.Response().Writer, Session: r, Ended: identity.ErrEnded}
	http.ServeContent(w, req, name, info.ModTime, content)
	return nil
}
