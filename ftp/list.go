package ftp

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"trivium/files"
)

// factSet is which facts MLST and MLSD give.
type factSet uint16

const (
	factType factSet = 1 << iota
	factSize
	factModify
	factPerm
	factUnique
	factMode
	factOwner
	factGroup
	factUID
	factGID
	allFacts = factGID<<1 - 1
)

// factNames are in the order in which they are written (RFC 3659 section 7.5; the UNIX facts are
// what servers have agreed on).
var factNames = []struct {
	bit  factSet
	name string
}{
	{factType, "Type"}, {factSize, "Size"}, {factModify, "Modify"}, {factPerm, "Perm"}, {factUnique, "Unique"},
	{factMode, "UNIX.mode"}, {factOwner, "UNIX.ownername"}, {factGroup, "UNIX.groupname"}, {factUID, "UNIX.uid"}, {factGID, "UNIX.gid"},
}

// parseFacts reads the list of OPTS MLST; unknown facts are passed over (RFC 3659 section 7.9).
func parseFacts(list string) factSet {
	var set factSet
	for name := range strings.SplitSeq(list, ";") {
		for _, f := range factNames {
			if strings.EqualFold(strings.TrimSpace(name), f.name) {
				set |= f.bit
			}
		}
	}
	return set
}

// names lists the chosen facts as the reply to OPTS MLST does.
func (set factSet) names() string {
	var b strings.Builder
	for _, f := range factNames {
		if set&f.bit != 0 {
			b.WriteString(f.name + ";")
		}
	}
	return b.String()
}

// feature lists all facts, the chosen ones starred (RFC 3659 section 7.8).
func (set factSet) feature() string {
	var b strings.Builder
	for _, f := range factNames {
		b.WriteString(f.name)
		if set&f.bit != 0 {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// facts writes one entry of MLSD without its line end: facts, a space, the name.
func (set factSet) facts(kind string, i files.Info, a files.Access, name string) string {
	var b strings.Builder
	for _, f := range factNames {
		if set&f.bit == 0 {
			continue
		}
		var v string
		switch f.bit {
		case factType:
			v = kind
		case factSize:
			if i.Dir {
				continue
			}
			v = fmt.Sprint(i.Size)
		case factModify:
			v = factTime(i.ModTime)
		case factPerm:
			v = perm(i, a)
		case factUnique:
			v = i.Unique
		case factMode:
			v = fmt.Sprintf("%#o", unixMode(i.Mode))
		case factOwner:
			v = i.Owner
		case factGroup:
			v = i.Group
		case factUID:
			v = fmt.Sprint(i.UID)
		case factGID:
			v = fmt.Sprint(i.GID)
		}
		if v == "" || strings.ContainsAny(v, "; \r\n\x00") {
			continue // RFC 3659 section 7.2: a value cannot hold them
		}
		b.WriteString(f.name + "=" + v + ";")
	}
	return b.String() + " " + oneLine(name)
}

// perm is the perm fact (RFC 3659 section 7.5.5).
func perm(i files.Info, a files.Access) string {
	var b strings.Builder
	for _, p := range []struct {
		ok     bool
		letter byte
	}{
		{!i.Dir && a.Append, 'a'}, {i.Dir && a.Create, 'c'}, {a.Delete, 'd'}, {i.Dir && a.Enter, 'e'}, {a.Rename, 'f'},
		{i.Dir && a.List, 'l'}, {i.Dir && a.Mkdir, 'm'}, {i.Dir && a.Purge, 'p'}, {!i.Dir && a.Read, 'r'}, {!i.Dir && a.Write, 'w'},
	} {
		if p.ok {
			b.WriteByte(p.letter)
		}
	}
	return b.String()
}

// kindOf is the type fact of an entry that is no link.
func kindOf(i files.Info) string {
	if i.Dir {
		return "dir"
	}
	return "file"
}

// resolved gives what a link leads to, under the link's name; a link that leads nowhere stays.
func (s *session) resolved(i files.Info) (files.Info, string) {
	if !i.Link {
		return i, kindOf(i)
	}
	t, err := s.tree.Stat(s.ctx, i.Path)
	if err != nil {
		return i, "OS.unix=symlink"
	}
	return t, kindOf(t)
}

// unixMode is the mode as numbers on Unix have it.
func unixMode(m fs.FileMode) uint32 {
	n := uint32(m.Perm())
	for _, b := range []struct {
		bit fs.FileMode
		n   uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&b.bit != 0 {
			n |= b.n
		}
	}
	return n
}

// modeLetters is what ls writes.
func modeLetters(i files.Info) string {
	b := []byte("-rwxrwxrwx")
	switch {
	case i.Link:
		b[0] = 'l'
	case i.Dir:
		b[0] = 'd'
	}
	n := unixMode(i.Mode)
	for k := range 9 {
		if n&(1<<(8-k)) == 0 {
			b[k+1] = '-'
		}
	}
	for _, x := range []struct {
		bit          uint32
		at           int
		with, withno byte
	}{{0o4000, 3, 's', 'S'}, {0o2000, 6, 's', 'S'}, {0o1000, 9, 't', 'T'}} {
		switch {
		case n&x.bit == 0:
		case b[x.at] == 'x':
			b[x.at] = x.with
		default:
			b[x.at] = x.withno
		}
	}
	return string(b)
}

// halfYear is from when ls gives the year in the place of the time.
const halfYear = 182 * 24 * time.Hour

// longLine is one entry as `ls -l` writes it, without its line end; times are UTC.
func longLine(i files.Info, name string, now time.Time) string {
	when := i.ModTime.UTC()
	date := when.Format("Jan _2 15:04")
	if age := now.Sub(when); age > halfYear || age < -24*time.Hour {
		date = when.Format("Jan _2  2006")
	}
	name = printable(name)
	if i.Link && i.Target != "" {
		name += " -> " + printable(i.Target)
	}
	return fmt.Sprintf("%s %3d %-8s %-8s %12d %s %s", modeLetters(i), max(i.Links, 1),
		column(i.Owner, i.UID), column(i.Group, i.GID), i.Size, date, name)
}

// column is an owner or a group; clients cut lines at spaces.
func column(name string, id uint32) string {
	name = strings.ReplaceAll(printable(name), " ", "_")
	if name == "" {
		return fmt.Sprint(id)
	}
	return name
}

// listArg takes the options of ls away, which clients send and which change nothing here.
func listArg(arg string) string {
	arg = strings.TrimLeft(arg, " ")
	for strings.HasPrefix(arg, "-") {
		option, rest, _ := strings.Cut(arg, " ")
		if strings.Trim(option[1:], "aAlLFRtTrSdh1") != "" {
			break
		}
		arg = strings.TrimLeft(rest, " ")
	}
	return arg
}

// target is what a listing is about: a folder, perhaps with a pattern for its entries, or one
// file.
type target struct {
	dir     string // the folder; "" for one file
	one     files.Info
	pattern string // "" for all
	prefix  string // in front of names, so that they can be used as they are
}

func (g target) fits(name string) bool {
	if g.pattern == "" {
		return true
	}
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(g.pattern, ".") {
		return false
	}
	ok, err := path.Match(g.pattern, name)
	return ok && err == nil
}

// target finds out what the argument of a listing names; false when it has been refused. The
// last segment may be a pattern where nothing has that very name.
func (s *session) target(arg string) (target, bool) {
	p, ok := s.path(arg)
	if !ok {
		return target{}, false
	}
	info, err := s.tree.Stat(s.ctx, p)
	dir, last := path.Split(arg)
	switch {
	case err == nil && info.Dir:
		prefix := arg
		if arg == "." {
			prefix = ""
		}
		if prefix != "" && !strings.HasSuffix(prefix, "/") {
			prefix += "/"
		}
		return s.folder(target{dir: p, prefix: prefix}, info)
	case err == nil:
		info.Name = arg
		return target{one: info}, true
	case replyTo(err).text == absent && strings.ContainsAny(last, "*?["):
		p, ok := s.path(dir + ".")
		if !ok {
			return target{}, false
		}
		info, err := s.tree.Stat(s.ctx, p)
		if err == nil && info.Dir {
			return s.folder(target{dir: p, pattern: last, prefix: dir}, info)
		}
	}
	s.fail(err)
	return target{}, false
}

func (s *session) folder(g target, info files.Info) (target, bool) {
	if !s.tree.Access(info).List {
		s.fail(fs.ErrPermission)
		return target{}, false
	}
	return g, true
}

// listing begins the transfer of a listing. each writes one entry without its line end.
func (s *session) listing(verb, arg string, g target, head []string, each func(files.Info) string) {
	if !s.ready() {
		return
	}
	ctx, tree := s.ctx, s.tree
	shown := g.dir
	if shown == "" {
		shown = g.one.Path
	}
	s.start(&transfer{doing: strings.TrimSpace(verb + " " + printable(arg)), verb: verb, path: shown, size: -1, begin: "Here comes the listing.", allo: -1,
		list: func(w io.Writer) error {
			out := bufio.NewWriterSize(w, chunk)
			for _, l := range head {
				_, _ = out.WriteString(l + "\r\n") // Flush has the error
			}
			put := func(i files.Info) error {
				if g.dir != "" && !g.fits(i.Name) {
					return nil
				}
				_, err := out.WriteString(each(i) + "\r\n")
				return err
			}
			var err error
			if g.dir == "" {
				err = put(g.one)
			} else {
				err = tree.ReadDir(ctx, g.dir, put)
			}
			if err != nil {
				return err
			}
			return out.Flush()
		}})
}

func (s *session) list(arg string) {
	arg = listArg(arg)
	g, ok := s.target(orHere(arg))
	if !ok {
		return
	}
	now := time.Now()
	s.listing("LIST", arg, g, nil, func(i files.Info) string { return longLine(i, i.Name, now) })
}

func orHere(arg string) string {
	if arg == "" {
		return "."
	}
	return arg
}

// nlst is NLST. Each line is a name that can be used as it stands (RFC 1123 section 4.1.2.7).
func (s *session) nlst(arg string) {
	arg = listArg(arg)
	g, ok := s.target(orHere(arg))
	if !ok {
		return
	}
	s.listing("NLST", arg, g, nil, func(i files.Info) string { return oneLine(g.prefix + i.Name) })
}

// mlsd is MLSD (RFC 3659 section 7.1).
func (s *session) mlsd(arg string) {
	p, ok := s.path(orHere(arg))
	if !ok {
		return
	}
	info, err := s.tree.Stat(s.ctx, p)
	switch {
	case err != nil:
		s.fail(err)
		return
	case !info.Dir:
		s.reply(501, "MLSD lists folders; MLST tells about a file.") // RFC 3659 section 7.2.1
		return
	}
	g, ok := s.folder(target{dir: p}, info)
	if !ok {
		return
	}
	facts := s.params.facts
	head := []string{facts.facts("cdir", info, s.tree.Access(info), ".")}
	if up, err := s.tree.Stat(s.ctx, path.Dir(p)); p != "/" && err == nil {
		head = append(head, facts.facts("pdir", up, s.tree.Access(up), ".."))
	}
	s.listing("MLSD", arg, g, head, func(i files.Info) string {
		r, kind := s.resolved(i)
		return facts.facts(kind, r, s.tree.Access(r), i.Name)
	})
}

// mlst is MLST: the facts of one entry, on the control connection.
func (s *session) mlst(arg string) {
	p, ok := s.path(orHere(arg))
	if !ok {
		return
	}
	info, err := s.tree.Stat(s.ctx, p)
	if err != nil {
		s.fail(err)
		return
	}
	entry := s.params.facts.facts(kindOf(info), info, s.tree.Access(info), p)
	s.replyLines(250, "Here it is:", []string{entry}, "End.")
}

// statLines bounds a listing on the control connection.
const statLines = 5000

// status is STAT: of the connection, or of a path like LIST (RFC 959 section 4.1.3).
func (s *session) status(arg string) {
	arg = listArg(arg)
	if arg == "" {
		s.stat("")
		return
	}
	g, ok := s.target(arg)
	if !ok {
		return
	}
	now := time.Now()
	if g.dir == "" {
		s.replyLines(213, "Status of "+printable(arg)+":", []string{longLine(g.one, g.one.Name, now)}, "End.")
		return
	}
	var body []string
	left := 0
	err := s.tree.ReadDir(s.ctx, g.dir, func(i files.Info) error {
		switch {
		case !g.fits(i.Name):
		case len(body) < statLines:
			body = append(body, longLine(i, i.Name, now))
		default:
			left++
		}
		return nil
	})
	if err != nil {
		s.fail(err)
		return
	}
	last := "End."
	if left > 0 {
		last = fmt.Sprintf("And %d more: use LIST.", left)
	}
	s.replyLines(212, "Status of "+printable(arg)+":", body, last)
}
