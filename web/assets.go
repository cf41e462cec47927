package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed assets
var embedded embed.FS

// assetSet is the embedded files under one hash of all of them, so that they may be kept for a
// year, and modules can import one another by relative name.
type assetSet struct {
	prefix string // /assets/0123456789ab/
	files  map[string]asset
}

type asset struct {
	kind          string
	plain, packed []byte
}

func loadAssets() (*assetSet, error) {
	set := &assetSet{files: map[string]asset{}}
	sum := sha256.New()
	root, err := fs.Sub(embedded, "assets")
	if err != nil {
		return nil, fmt.Errorf("reading the embedded assets: %w", err)
	}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(b))
		sum.Write(b)
		a := asset{kind: assetType(name), plain: b}
		if a.packed, err = pack(b); err != nil {
			return err
		}
		set.files[name] = a
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the embedded assets: %w", err)
	}
	set.prefix = "/assets/" + hex.EncodeToString(sum.Sum(nil)[:6]) + "/"
	return set, nil
}

// assetType does not ask the system's table, which differs from machine to machine.
func assetType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func pack(b []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// url is the address of a file; an unknown name is a fault of ours that the template test sees.
func (a *assetSet) url(name string) (string, error) {
	if _, ok := a.files[name]; !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return a.prefix + name, nil
}

// vendor is the address of a script or style of others, which `make web` fetches; "" in a build without.
func (a *assetSet) vendor(name string) string {
	if _, ok := a.files["vendor/"+name]; !ok {
		return ""
	}
	return a.prefix + "vendor/" + name
}

func (s *Server) getAsset(v *visit) error {
	name, ok := strings.CutPrefix(v.Request().URL.Path, s.assets.prefix)
	a, found := s.assets.files[name]
	if !ok || !found {
		return errAbsent
	}
	h := v.Response().Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	s.sendAsset(v, a)
	return nil
}

func (s *Server) sendAsset(v *visit, a asset) {
	h := v.Response().Header()
	h.Set("Content-Type", a.kind)
	h.Add("Vary", "Accept-Encoding")
	body := a.plain
	if takesGzip(v.Request()) {
		h.Set("Content-Encoding", "gzip")
		body = a.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	v.Response().WriteHeader(http.StatusOK)
	_, _ = v.Response().Write(body) // the client went: nothing to do
}

// getFavicon serves the picture that browsers ask for unasked.
func (s *Server) getFavicon(v *visit) error {
	v.Response().Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(24*time.Hour/time.Second)))
	s.sendAsset(v, s.assets.files["img/mark.svg"])
	return nil
}
