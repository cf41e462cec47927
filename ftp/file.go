package ftp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"trivium/files"
)

// ready reports whether a data connection is prepared and may be used; else it has answered.
func (s *session) ready() bool {
	switch {
	case s.door == nil:
		s.reply(425, "Prepare a data connection first, with EPSV, PASV, EPRT or PORT.")
	case s.srv.cfg.TLS == "required" && !s.params.prot:
		s.reply(521, "Data connections must use TLS: send PROT P.") // RFC 4217 section 9
	default:
		return true
	}
	return false
}

// mayMove is ready where there is also a place for one more transfer of a file.
func (s *session) mayMove() bool {
	if !s.ready() {
		return false
	}
	if s.crowded() {
		s.reply(450, crowdedText)
		return false
	}
	return true
}

// retr is RETR.
func (s *session) retr(arg string) {
	p, tree, ok := s.path(arg)
	if !ok || !s.spanFits() || !s.mayMove() {
		return
	}
	f, err := tree.Open(s.ctx, p)
	if err != nil {
		s.fail(err)
		return
	}
	info, rest := f.Info(), s.given.rest
	size := info.Size - rest
	part := s.given.rang != nil
	switch {
	case info.Dir:
		err = files.ErrIsDir
	case part:
		rest = s.given.rang.from
		size, err = s.given.rang.sends(f)
	case rest > info.Size || rest > 0 && s.params.ascii:
		err = files.ErrOffset
	case rest > 0:
		_, err = f.Seek(rest, io.SeekStart)
	}
	if err != nil {
		_ = f.Close() // nothing was written
		s.fail(err)
		return
	}
	kind := "binary"
	if s.params.ascii {
		kind = "ASCII"
	}
	live := size
	if s.params.ascii {
		live = -1
	}
	s.start(&transfer{doing: "RETR " + printable(p), verb: "RETR", path: p, size: live, file: f, part: part, ascii: s.params.ascii, offset: rest, allo: -1,
		begin: fmt.Sprintf("Opening %s mode data connection for %s (%d bytes).", kind, printable(path.Base(p)), size)})
}

func (s *session) stor(arg string) {
	s.receive("STOR", arg, files.UploadOptions{Offset: s.given.rest}, "")
}

func (s *session) appe(arg string) {
	if s.ranged() {
		return
	}
	s.receive("APPE", arg, files.UploadOptions{Append: true}, "")
}

// ranged refuses a range where a verb has no use for it (draft-bryan-ftp-range-09 section 4.3).
func (s *session) ranged() bool {
	if s.given.rang != nil {
		s.reply(550, "RANG goes with RETR, STOR and HASH alone.")
		return true
	}
	return false
}

// spanFits refuses a range where bytes sent are not bytes stored.
func (s *session) spanFits() bool {
	if s.given.rang != nil && s.params.ascii {
		s.reply(551, "RANG works with TYPE I alone.")
		return false
	}
	return true
}

// stou is STOU: the server chooses the name (RFC 1123 section 4.1.2.9 says how it is told). It
// begins with the argument where a client sends one.
func (s *session) stou(arg string) {
	if s.ranged() {
		return
	}
	base := path.Base("/" + arg)
	if base == "/" || base == "." {
		base = "upload"
	}
	const random = 8
	name := base + "." + strings.ToLower(rand.Text()[:random])
	s.receive("STOU", name, files.UploadOptions{Exclusive: true}, "FILE: "+printable(name))
}

// receive begins an upload. The file appears when it is complete; until then it is a part.
func (s *session) receive(verb, arg string, o files.UploadOptions, begin string) {
	p, tree, ok := s.path(arg)
	if !ok || !s.spanFits() || !s.mayMove() {
		return
	}
	o.Size = -1
	if s.given.allo >= 0 && !s.params.ascii && !o.Append && s.given.rang == nil {
		o.Size = max(s.given.allo-o.Offset, 0)
	}
	existed := true
	if s.params.umask >= 0 {
		_, err := tree.Lstat(s.ctx, p)
		existed = !errors.Is(err, fs.ErrNotExist)
	}
	rang := s.given.rang
	if rang != nil {
		var err error
		if o.Offset, err = rang.begins(s.ctx, tree, p); err != nil {
			s.fail(err)
			return
		}
	}
	u, err := tree.Create(s.ctx, p, o)
	if err != nil {
		s.fail(err)
		return
	}
	if rang != nil {
		if err := rang.over(s.ctx, tree, p, o.Offset); err != nil {
			_ = u.Discard() // nothing has come
			s.fail(err)
			return
		}
	}
	if begin == "" {
		begin = "Ready for " + printable(path.Base(p)) + "."
	}
	t := &transfer{doing: verb + " " + printable(p), verb: verb, path: p, size: o.Size, begin: begin, upload: u, span: rang,
		ascii: s.params.ascii, offset: o.Offset, allo: s.given.allo}
	if s.params.umask >= 0 && !existed {
		umask, ctx, log := s.params.umask, s.ctx, s.logger()
		t.settled = func(files.Info) {
			if err := tree.Chmod(ctx, p, 0o666&^fs.FileMode(umask)); err != nil {
				log.Warn("SITE UMASK", "error", err)
			}
		}
	}
	if o.Append || rang != nil {
		t.allo = -1 // it could mean the whole as well as what comes
	}
	s.start(t)
}
