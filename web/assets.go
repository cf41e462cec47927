package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
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

// asset is one file. One of its two forms is what was embedded, and the other is made when it is first
// asked for.
type asset struct {
	kind          string
	plain, packed func() ([]byte, error)
}

// packedName ends the names of files that are embedded packed: large ones of others.
const packedName = ".gz"

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
		made := func() ([]byte, error) { return b, nil }
		if bare, ok := strings.CutSuffix(name, packedName); ok {
			set.files[bare] = asset{kind: assetType(bare), packed: made, plain: sync.OnceValues(func() ([]byte, error) { return unpack(b) })}
			return nil
		}
		set.files[name] = asset{kind: assetType(name), plain: made, packed: sync.OnceValues(func() ([]byte, error) { return pack(b) })}
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
	case ".json":
		return "application/json"
	case ".ttf":
		return "font/ttf"
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

func unpack(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
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
	return s.sendAsset(v, a)
}

func (s *Server) sendAsset(v *visit, a asset) error {
	form := a.plain
	if takesGzip(v.Request()) {
		form = a.packed
	}
	body, err := form()
	if err != nil {
		return err
	}
	h := v.Response().Header()
	h.Set("Content-Type", a.kind)
	h.Add("Vary", "Accept-Encoding")
	if takesGzip(v.Request()) {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	v.Response().WriteHeader(http.StatusOK)
	_, _ = v.Response().Write(body) // the client went: nothing to do
	return nil
}

// getFavicon serves the picture that browsers ask for unasked.
func (s *Server) getFavicon(v *visit) error {
	v.Response().Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(24*time.Hour/time.Second)))
	return s.sendAsset(v, s.assets.files["img/mark.svg"])
}
