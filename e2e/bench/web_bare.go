package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The limit of the web is net/http with as little behind it as can be: bytes that lie in memory, files by
// http.ServeContent, and bodies that are copied into a file. It knows no sessions and makes no pages.

// bareWebFlag makes this program that server, in a process of its own.
const bareWebFlag = "bare-web"

// startBareWeb starts it in a folder.
func startBareWeb(ctx context.Context, dir string) (*webServer, error) {
	home := filepath.Join(dir, "bare")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, err
	}
	addr, pid, stop, err := startSelf(ctx, "-"+bareWebFlag, home)
	if err != nil {
		return nil, err
	}
	return &webServer{target: target{name: bareLimit, addr: addr, pid: pid, home: home, stop: stop,
		only: []string{"down", "pages", "static", "web-down", "tus"}}}, nil
}

// mostBare is the largest body that it has in memory, bytes.
const mostBare = 1 << 20

// serveBareWeb is the server; it ends when its standard input does, which is when its parent ends.
func serveBareWeb(home string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fill := make([]byte, mostBare)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bytes/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n < 0 || n > len(fill) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(fill[:n])
	})
	mux.HandleFunc("GET /files/{name}", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(filepath.Join(home, filepath.Base(r.PathValue("name"))))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		i, err := f.Stat()
		if err != nil {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, i.Name(), i.ModTime(), f)
	})
	mux.HandleFunc("PATCH /files/{name}", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.OpenFile(filepath.Join(home, filepath.Base(r.PathValue("name"))), os.O_WRONLY|os.O_CREATE, 0o644)
		if err == nil {
			at, _ := strconv.ParseInt(r.Header.Get("Upload-Offset"), 10, 64)
			_, err = f.Seek(at, io.SeekStart)
		}
		if err == nil {
			_, err = io.CopyBuffer(struct{ io.Writer }{f}, r.Body, make([]byte, block))
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	go func() {
		_ = untilParentEnds()
		_ = l.Close()
	}()
	fmt.Println(l.Addr())
	if err := http.Serve(l, mux); err != nil && !strings.Contains(err.Error(), net.ErrClosed.Error()) { //nolint:gosec // for a moment, on loopback
		return err
	}
	return nil
}
