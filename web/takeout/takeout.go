// Package takeout writes one archive of all that is kept of a person: profile, chat (XEP-0227), what
// their tokens may do, sessions, their rows of the audit log, and their files. It is a gzipped tar,
// written as a stream: what it takes of memory does not hang on how much there is. No secret is in it.
package takeout

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
)

// Person is whose data is written. What is nil is left out.
type Person struct {
	Account  identity.Account
	Profile  any // as JSON
	Tokens   any
	Sessions any
	Audit    any
	Chat     func(ctx context.Context, out io.Writer) error
	Files    *files.Tree // whose top is the home
	Now      time.Time
}

// maxDepth bounds how deep folders nest.
const maxDepth = 200

// Name is the name of the archive.
func Name(login string, at time.Time) string {
	return "trivium-" + safe(login) + "-" + at.UTC().Format("20060102") + ".tar.gz"
}

// Write writes the archive. What it could not read of the files it names in files-left-out.txt; every
// other error ends it.
func Write(ctx context.Context, out io.Writer, p Person) error {
	z := gzip.NewWriter(out)
	w := &writer{ctx: ctx, tar: tar.NewWriter(z), now: p.Now}
	for _, part := range []struct {
		name  string
		value any
	}{{"profile.json", p.Profile}, {"tokens.json", p.Tokens}, {"sessions.json", p.Sessions}, {"audit.json", p.Audit}} {
		if part.value == nil {
			continue
		}
		text, err := json.MarshalIndent(part.value, "", "  ")
		if err != nil {
			return fmt.Errorf("writing %s: %w", part.name, err)
		}
		if err := w.whole(part.name, append(text, '\n')); err != nil {
			return err
		}
	}
	if p.Chat != nil {
		if err := w.chat(p.Chat); err != nil {
			return err
		}
	}
	if p.Files != nil {
		if err := w.folder(p.Files, "/", "files", 0); err != nil {
			return err
		}
	}
	if len(w.left) > 0 {
		if err := w.whole("files-left-out.txt", []byte(strings.Join(w.left, "\n")+"\n")); err != nil {
			return err
		}
	}
	return errors.Join(w.tar.Close(), z.Close())
}

type writer struct {
	ctx  context.Context
	tar  *tar.Writer
	now  time.Time
	left []string
}

// maxLeft bounds the list of what was left out.
const maxLeft = 1000

func (w *writer) leave(name string, err error) {
	if len(w.left) < maxLeft {
		w.left = append(w.left, fmt.Sprintf("%q: %v", name, err))
	}
}

func (w *writer) whole(name string, text []byte) error {
	err := w.tar.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600, ModTime: w.now, Typeflag: tar.TypeReg, Format: tar.FormatPAX})
	if err == nil {
		_, err = w.tar.Write(text)
	}
	return err
}

// chat goes by way of a file, as a tar wants to know how long a thing is before it comes.
func (w *writer) chat(write func(context.Context, io.Writer) error) error {
	f, err := os.CreateTemp("", "trivium-export-")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := os.Remove(f.Name()); err != nil { // it lives as long as it is open
		return err
	}
	if err := write(w.ctx, f); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	err = w.tar.WriteHeader(&tar.Header{Name: "chat.xml", Size: size, Mode: 0o600, ModTime: w.now, Typeflag: tar.TypeReg, Format: tar.FormatPAX})
	if err == nil {
		_, err = io.Copy(w.tar, f)
	}
	return err
}

// safe is a name that leads nowhere on any system: what some take for the border of a folder, for a
// drive or for nothing is written in hexadecimal with a percent sign before it.
func safe(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r < ' ' || r == 0x7F || strings.ContainsRune(`/\:*?"<>|`, r) {
			fmt.Fprintf(&b, "%%%02X", r)
		} else {
			b.WriteRune(r)
		}
	}
	if s := b.String(); strings.Trim(s, ". ") != "" {
		return s
	}
	return strings.ReplaceAll(b.String(), ".", "%2E") + "_"
}

// folder writes a folder and all below it. The folders of groups and /pub, which are not the
// person's own, are shown beside a home and stay out.
func (w *writer) folder(t *files.Tree, from, to string, depth int) error {
	err := w.tar.WriteHeader(&tar.Header{Name: to + "/", Mode: 0o700, ModTime: w.now, Typeflag: tar.TypeDir, Format: tar.FormatPAX})
	if err != nil {
		return err
	}
	var list []files.Info
	err = t.ReadDir(w.ctx, from, func(i files.Info) error {
		list = append(list, i)
		return nil
	})
	if err != nil {
		w.leave(from, err)
		return w.ctx.Err()
	}
	for _, i := range list {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		at := path.Join(from, i.Name)
		if from == "/" && (i.Name == "groups" || i.Name == "pub") {
			if canon, _ := t.Canonical(w.ctx, at); canon == at {
				continue
			}
		}
		name := to + "/" + safe(i.Name)
		switch {
		case i.Link:
			w.leave(at, fmt.Errorf("a link to %q", i.Target))
		case i.Dir && depth < maxDepth:
			err = w.folder(t, at, name, depth+1)
		case i.Dir:
			w.leave(at, errors.New("it lies too deep"))
		default:
			err = w.file(t, at, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// file writes one file as it is when it is opened; one that becomes shorter meanwhile is filled up.
func (w *writer) file(t *files.Tree, from, to string) error {
	f, err := t.Open(w.ctx, from)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.leave(from, err)
		}
		return w.ctx.Err()
	}
	defer func() { _ = f.Close() }() // only read
	i := f.Info()
	err = w.tar.WriteHeader(&tar.Header{Name: to, Size: i.Size, Mode: int64(i.Mode.Perm()), ModTime: i.ModTime, Typeflag: tar.TypeReg, Format: tar.FormatPAX})
	if err != nil {
		return err
	}
	n, err := io.Copy(w.tar, &whileOpen{w.ctx, io.LimitReader(f, i.Size)})
	if err == nil && n < i.Size {
		w.leave(from, fmt.Errorf("it became shorter: %d of %d bytes, the rest is zero", n, i.Size))
		_, err = io.CopyN(w.tar, zeros{}, i.Size-n)
	}
	return err
}

// whileOpen stops reading when the context ends.
type whileOpen struct {
	ctx context.Context
	r   io.Reader
}

func (r *whileOpen) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
