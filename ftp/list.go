package ftp

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"trivium/files"
)

// LIST and NLST show names that begin with a dot also without -a: what is in a folder is what its
// list says, as in MLSD, and a client that mirrors or deletes one misses nothing. (ProFTPD does so
// too, vsftpd does not.) A pattern means such names only where it begins with a dot itself.

// listing begins the transfer of a listing.
func (s *session) listing(verb, arg string, write func(stopped func() bool, p *page) error) {
	if !s.ready() {
		return
	}
	t := &transfer{doing: strings.TrimSpace(verb + " " + printable(arg)), begin: "Here comes the listing.", allo: -1}
	t.list = func(w io.Writer) error { return write(t.stopped.Load, newPage(w)) }
	s.start(t)
}

func (s *session) list(arg string) { s.listLike("LIST", arg, false) }

// nlst is NLST. Each line is a name that can be used as it stands (RFC 1123 section 4.1.2.7); with
// -l it is what LIST sends, for clients whose `ls -l` asks so.
func (s *session) nlst(arg string) { s.listLike("NLST", arg, true) }

func (s *session) listLike(verb, arg string, nlst bool) {
	o, name := parseListing(arg, !nlst)
	a := s.ask(name, o, nlst)
	if a == nil {
		return
	}
	ctx := s.ctx
	s.listing(verb, name, func(stopped func() bool, p *page) error {
		a.stopped = stopped
		return a.write(ctx, p)
	})
}

// mlsd is MLSD (RFC 3659 section 7.1).
func (s *session) mlsd(arg string) {
	name := arg
	if name == "" {
		name = "."
	}
	p, tree, ok := s.path(name)
	if !ok {
		return
	}
	info, err := tree.Stat(s.ctx, p)
	switch {
	case err != nil:
		s.fail(err)
		return
	case !info.Dir:
		s.reply(501, "MLSD lists folders; MLST tells about a file.") // RFC 3659 section 7.2.1
		return
	}
	access := s.tree.Access(info)
	if !access.List {
		s.fail(fs.ErrPermission)
		return
	}
	ctx, facts := s.ctx, s.params.facts
	s.listing("MLSD", arg, func(stopped func() bool, out *page) error {
		var st stamps
		row := func(kind string, i *files.Info, a files.Access, name string) error {
			out.buf = facts.appendFacts(out.buf, &st, kind, i, a, name)
			return out.end(0)
		}
		if err := row("cdir", &info, access, "."); err != nil {
			return err
		}
		if up, err := tree.Stat(ctx, path.Dir(p)); p != "/" && err == nil {
			if err := row("pdir", &up, tree.Access(up), ".."); err != nil {
				return err
			}
		}
		err := tree.ReadDirAccess(ctx, p, func(i files.Info, a files.Access) error {
			switch {
			case stopped():
				return errAborted
			case !i.Link:
				return row(kindOf(&i), &i, a, i.Name)
			}
			// A link is told as what it leads to, as RETR and CWD take it; what a rule keeps back is
			// nothing.
			to, err := tree.Stat(ctx, i.Path)
			if err != nil {
				return row(linkKind, &i, a, i.Name)
			}
			return row(kindOf(&to), &to, tree.Access(to), i.Name)
		})
		if err != nil {
			return err
		}
		return out.flush()
	})
}

// mlst is MLST: the facts of one entry, on the control connection.
func (s *session) mlst(arg string) {
	if arg == "" {
		arg = "."
	}
	p, tree, ok := s.path(arg)
	if !ok {
		return
	}
	info, err := tree.Stat(s.ctx, p)
	kind := kindOf(&info)
	if err != nil {
		link, lerr := tree.Lstat(s.ctx, p)
		if lerr != nil || !link.Link {
			s.fail(err)
			return
		}
		info, kind = link, linkKind
	}
	entry := s.params.facts.appendFacts(nil, new(stamps), kind, &info, s.tree.Access(info), p)
	s.replyLines(250, "Here it is:", []string{string(entry)}, "End.")
}

// statLines bounds a listing on the control connection.
const statLines = 5000

// errEnough ends a listing that is not to be read on.
var errEnough = errors.New("enough lines")

// statBody takes the rows of a listing as lines of a reply.
type statBody struct{ lines []string }

func (b *statBody) Write(p []byte) (int, error) {
	for l := range bytes.Lines(p) {
		text := strings.TrimRight(string(l), "\r\n")
		switch {
		case text == "": // an empty line confuses clients
			continue
		case len(b.lines) == statLines:
			return 0, errEnough
		}
		b.lines = append(b.lines, text)
	}
	return len(p), nil
}

// status is STAT: of the connection, or of a path like LIST (RFC 959 section 4.1.3).
func (s *session) status(arg string) {
	o, name := parseListing(arg, true)
	if name == "" && strings.TrimSpace(arg) == "" {
		s.stat("")
		return
	}
	a := s.ask(name, o, false)
	if a == nil {
		return
	}
	var body statBody
	err := a.write(s.ctx, newPage(&body))
	last := "End."
	switch {
	case errors.Is(err, errEnough), errors.Is(err, errListBounds):
		last = "There is more: use LIST."
	case err != nil:
		s.fail(err)
		return
	}
	code := 212 // RFC 959 section 4.2: of a folder
	if a.one != nil {
		code = 213
	}
	if name == "" {
		name = "."
	}
	s.replyLines(code, "Status of "+printable(name)+":", body.lines, last)
}
