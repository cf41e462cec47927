package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"

	"trivium/files"
)

// available is AVBL (draft-peterson-streamlined-ftp-command-extensions-10 section 4): how many
// bytes can still be stored in a folder.
func (s *session) available(arg string) {
	p, info, ok := s.folder(orHere(arg))
	if !ok {
		return
	}
	q, err := s.tree.Quota(s.ctx, p)
	switch {
	case err != nil:
		s.fail(err)
	case !s.tree.Access(info).Create, q.Free < 0:
		s.reply(550, "Nothing can be stored in that folder.")
	default:
		s.reply(213, strconv.FormatInt(q.Free, 10))
	}
}

// combine is COMB, as Globalscape's servers have it: the parts are put together, behind what the
// file holds already if it is there, and removed when that has succeeded. The file changes in one
// moment, or not at all.
func (s *session) combine(arg string) {
	names, ok := parseNames(arg)
	if !ok || len(names) < 2 {
		s.reply(501, `COMB "<file>" "<part>" ...`)
		return
	}
	var all []string
	var whole, parts *files.Tree
	for i, name := range names {
		twins := []string{s.verb, "STOR"}
		if i > 0 {
			twins = []string{s.verb, "RETR", "DELE"}
		}
		p, tree, ok := s.pathFor(name, twins...)
		if !ok {
			return
		}
		if i == 0 {
			whole = tree
		} else {
			parts = tree
		}
		if slices.Contains(all, p) {
			s.reply(501, "Each name may stand there once.")
			return
		}
		all = append(all, p)
	}
	for _, part := range all[1:] {
		info, err := parts.Lstat(s.ctx, part)
		switch {
		case err == nil && info.Dir:
			err = files.ErrIsDir
		case err == nil && !s.tree.Access(info).Delete:
			err = fs.ErrPermission
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
	s.background("COMB "+printable(all[0]), func(ctx context.Context) answer {
		if err := join(ctx, whole, all[0], parts, all[1:]); err != nil {
			return s.outcome(err, answer{})
		}
		for i, part := range all[1:] {
			if err := parts.Remove(context.WithoutCancel(ctx), part); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.logger().Warn("COMB", "error", err)
				return answer{250, fmt.Sprintf("The file is complete, but %d parts could not be removed.", len(all)-1-i)}
			}
		}
		return answer{250, "The file is complete, the parts are removed."}
	})
}

// join uploads what to holds, if it is there, and then the parts.
func join(ctx context.Context, tree *files.Tree, to string, from *files.Tree, parts []string) error {
	u, err := tree.Create(ctx, to, files.UploadOptions{Size: -1})
	if err != nil {
		return err
	}
	err = appendTo(ctx, u, tree, to)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, part := range parts {
		if err == nil {
			err = appendTo(ctx, u, from, part)
		}
	}
	if err == nil {
		_, err = u.Commit(ctx)
	}
	if err != nil {
		return errors.Join(err, u.Discard())
	}
	return nil
}

// appendTo adds a file to an upload, as long as ctx lasts.
func appendTo(ctx context.Context, u *files.Upload, tree *files.Tree, p string) error {
	f, err := tree.Open(ctx, p)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := u.ReadFrom(io.LimitReader(f, slice))
		if err != nil || n < slice {
			return err
		}
	}
}
