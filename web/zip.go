package web

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/httpio"
	"trivium/web/text"
)

const (
	zipBuffer   = 256 << 10 // bytes on their way to the connection
	maxZipDepth = 256       // folders in one another
	maxLeftOut  = 1000      // lines of the list of what is not in an archive
)

// leftOut is the last entry of an archive that does not hold everything: a list of the rest.
const leftOut = "NOT INCLUDED.txt"

// sendZip streams the entries as one archive, folders with all in them. Nothing of it is kept: it is
// as long as the client takes it, and what cannot be read is named in a list at its end. Its bytes are
// stored as they are, since most of what is large is packed already. Links are left out: what they
// lead to is in the archive under its own name or not meant to be.
func (s *Server) sendZip(v *visit, tree *files.Tree, sel selection) error {
	var tops []files.Info
	for _, name := range sel.names {
		p, err := member(sel.dir, name)
		if err != nil {
			return errAbsent
		}
		info, err := tree.Lstat(v.ctx(), p)
		if err != nil {
			return err
		}
		tops = append(tops, info)
	}
	h := v.Response().Header()
	h.Set("Content-Security-Policy", userContent)
	h.Set("Content-Disposition", httpio.Attachment(zipName(sel)))
	h.Set("Content-Type", "application/zip")
	v.long()
	r := v.run("ZIP", identity.DirectionOut, sel.dir, -1, 0, nil, httpio.CutWrites)
	defer func() { _ = r.end() }()
	sender := &httpio.Sender{ResponseWriter: v.Response().Writer, Session: r, Ended: identity.ErrEnded}
	out := bufio.NewWriterSize(sender, zipBuffer)
	z := &zipper{tree: tree, w: zip.NewWriter(out), words: v.words}
	err := z.all(v.ctx(), tops)
	if err == nil {
		err = errors.Join(z.w.Close(), out.Flush())
	}
	if err != nil {
		s.log.Debug("an archive was cut", "request", requestID(v.Request()), "err", err)
		panic(http.ErrAbortHandler) // net/http's way to cut an answer, so that nobody takes the half for the whole
	}
	return nil
}

// zipName is what the archive is called.
func zipName(sel selection) string {
	switch {
	case len(sel.names) == 1:
		return strings.TrimSuffix(sel.names[0], path.Ext(sel.names[0])) + ".zip"
	case sel.dir == "/":
		return "files.zip"
	}
	return path.Base(sel.dir) + ".zip"
}

// zipper writes one archive.
type zipper struct {
	tree   *files.Tree
	w      *zip.Writer
	absent []string // what is left out, and why
	more   int      // of that, what has no line
	words  *text.Language
}

func (z *zipper) all(ctx context.Context, tops []files.Info) error {
	for _, top := range tops {
		if err := z.entry(ctx, top, path.Base(top.Path), 0); err != nil {
			return err
		}
	}
	if len(z.absent) == 0 {
		return nil
	}
	w, err := z.w.Create(leftOut)
	if err != nil {
		return err
	}
	if z.more > 0 {
		z.absent = append(z.absent, fmt.Sprintf("and %d more", z.more))
	}
	_, err = io.WriteString(w, "Not in this archive:\r\n\r\n"+strings.Join(z.absent, "\r\n")+"\r\n")
	return err
}

// omit notes what is left out.
func (z *zipper) omit(name string, why string) {
	if len(z.absent) >= maxLeftOut {
		z.more++
		return
	}
	z.absent = append(z.absent, name+": "+why)
}

// entry writes a file, or a folder with all in it; name is its path in the archive.
func (z *zipper) entry(ctx context.Context, i files.Info, name string, depth int) error {
	switch {
	case i.Link:
		z.omit(name, "a link")
		return nil
	case i.Part:
		return nil
	case i.Dir && depth >= maxZipDepth:
		z.omit(name, "too many folders in one another")
		return nil
	case i.Dir:
		return z.folder(ctx, i, name, depth)
	}
	return z.file(ctx, i, name)
}

func (z *zipper) folder(ctx context.Context, i files.Info, name string, depth int) error {
	var list []files.Info
	err := z.tree.ReadDir(ctx, i.Path, func(e files.Info) error {
		list = append(list, e)
		return nil
	})
	switch {
	case ctx.Err() != nil || errors.Is(err, identity.ErrEnded):
		return errors.Join(ctx.Err(), err)
	case err != nil:
		z.omit(name, answerTo(err).words(z.words, err))
		return nil
	}
	if _, err := z.w.CreateHeader(&zip.FileHeader{Name: name + "/", Modified: i.ModTime}); err != nil {
		return err
	}
	sortFiles(list, "name")
	for _, e := range list {
		if err := z.entry(ctx, e, name+"/"+e.Name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (z *zipper) file(ctx context.Context, i files.Info, name string) error {
	f, err := z.tree.Open(ctx, i.Path)
	switch {
	case ctx.Err() != nil || errors.Is(err, identity.ErrEnded):
		return errors.Join(ctx.Err(), err)
	case errors.Is(err, fs.ErrNotExist):
		return nil // gone meanwhile
	case err != nil:
		z.omit(name, answerTo(err).words(z.words, err))
		return nil
	}
	defer f.Close() // only read
	w, err := z.w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: i.ModTime})
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
