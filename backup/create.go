package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// tempPrefix begins the names of what is on its way.
const tempPrefix = ".trivium-backup-"

func newBytes(b []byte) io.Reader { return bytes.NewReader(b) }

// Contents is what is in a copy of the database.
type Contents struct {
	Rows     map[string]int64 // by table
	Versions map[string]int64 // by module
}

// Store is the database.
type Store interface {
	// Engine is sqlite or postgres.
	Engine() string
	// Size is about how many bytes a copy will have.
	Size(ctx context.Context) (int64, error)
	// Snapshot writes all that is committed when it begins into a new SQLite file, and holds up nobody who writes.
	Snapshot(ctx context.Context, file string) error
	// Check looks whether such a file is whole, and what is in it.
	Check(ctx context.Context, file string) (Contents, error)
}

// Extra is a file that goes in beside database and files.
type Extra struct {
	Name string // data/… or config/…
	Path string // of a folder: all files below it but hidden ones, as they lie when the backup is made
}

// Source is what a backup is made of.
type Source struct {
	Store   Store
	Version string
	Domain  string
	// First are small files, which are read before the database. One that is not there is left out.
	First []Extra
	// Files is the folder of people's files; "": they lie elsewhere, and Without says so.
	Files string
	// Without are sentences about what is not in it.
	Without []string
	// Temp is a folder for the copy of the database, which it must have room for.
	Temp       string
	Recipients []age.Recipient
	Now        func() time.Time
}

// Create writes a backup to dst. What is there when it fails is no backup, and Verify says so. progress
// may be nil; it is called often, by this goroutine.
func Create(ctx context.Context, dst io.Writer, s Source, progress func(Progress)) (m Manifest, err error) {
	p := Progress{Stage: "database"}
	say := func() {
		if progress != nil {
			progress(p)
		}
	}
	if p.Total, err = s.Store.Size(ctx); err != nil {
		return m, fmt.Errorf("asking how large the database is: %w", err)
	}
	say()
	w, err := newWriter(ctx, dst, s.Recipients, s.Temp, func(n int64) { p.Done += n; say() })
	if err != nil {
		return m, err
	}
	defer w.drop()
	w.m.Head = Head{Format: Format, Version: s.Version, Domain: s.Domain, Began: s.Now().UTC(), Engine: s.Store.Engine()}
	w.m.Without, w.m.Unsteady = append([]string{}, s.Without...), []string{}
	if err := w.json(headName, &w.m.Head); err != nil {
		return m, err
	}
	for _, x := range s.First {
		if err := w.extra(x); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	if err := w.database(s); err != nil {
		return m, err
	}
	p.Stage = "files"
	if s.Files != "" {
		t := &tree{w: w, seen: map[uint64]struct{}{}}
		bytes, err := t.measure(s.Files)
		if err != nil {
			return m, err
		}
		p.Total = p.Done + bytes
		say()
		if err := t.all(s.Files, func() { p.Files = w.m.Files }); err != nil {
			return m, err
		}
	}
	if err := w.finish(s.Now().UTC()); err != nil {
		return m, err
	}
	return w.m, nil
}

// extra writes a file, or those of a folder; one that goes meanwhile is left out.
func (w *writer) extra(x Extra) error {
	return filepath.WalkDir(x.Path, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(x.Path, path)
		switch {
		case err != nil:
			return err
		case relErr != nil:
			return relErr
		case rel == ".":
			if d.IsDir() {
				return nil
			}
			return w.file(x.Name, path)
		case strings.HasPrefix(d.Name(), "."): // half written
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		if err := w.file(x.Name+"/"+filepath.ToSlash(rel), path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// database copies the database into a file and that into the archive.
func (w *writer) database(s Source) (err error) {
	dir, err := os.MkdirTemp(s.Temp, tempPrefix+"db-*") // mode 0700
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, databaseName)
	if err := s.Store.Snapshot(w.ctx, file); err != nil {
		return err
	}
	c, err := s.Store.Check(w.ctx, file)
	if err != nil {
		return err
	}
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	w.m.Rows, w.m.Versions, w.m.Database = c.Rows, c.Versions, st.Size()
	return w.file(databaseName, file)
}
