package ftp

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"trivium/files"
)

// Bounds of one listing with a pattern or -R. Beyond them it goes on without what is too much, and
// says at the end that something is missing.
const (
	maxListDepth   = 64
	maxListFolders = 10_000    // folders read
	maxListHeld    = 20_000    // folders that wait to be read
	maxListNames   = 2_000_000 // names compared with a pattern
)

// errListBounds is the end of a listing that is not complete.
var errListBounds = errors.New("the listing would be too long")

// ask is what one LIST, NLST or STAT is about: a folder, or one entry, or a pattern.
type ask struct {
	s       *session
	verb    string // as the policy calls it
	o       listOptions
	nlst    bool
	tree    *files.Tree // that asks the rules of the verb
	path    string      // of the folder or the entry; of the folder where a pattern begins
	said    string      // in front of names, so that they can be used as they are
	one     *files.Info
	pattern []pattern // the segments behind path
	stopped func() bool
	stamps  stamps

	folders, examined int
	cut               bool // something is missing
}

// branch is a folder that waits to be read.
type branch struct {
	path, said string
	depth      int
}

// ask finds out what the argument names; nil when it has been refused. What has that very name comes
// before what a pattern means.
func (s *session) ask(arg string, o listOptions, nlst bool) *ask {
	a := &ask{s: s, verb: s.verb, o: o, nlst: nlst, stamps: stamps{now: time.Now()}, stopped: func() bool { return false }}
	said := arg
	if arg == "" {
		arg = "."
	}
	p, tree, ok := s.path(arg)
	if !ok {
		return nil
	}
	a.tree = tree
	look := tree.Stat
	if o.itself {
		look = tree.Lstat
	}
	info, err := look(s.ctx, p)
	switch {
	case err == nil && info.Dir && !o.itself:
		a.path, a.said = p, said
		if a.said != "" && !strings.HasSuffix(a.said, "/") {
			a.said += "/"
		}
		if said == "." {
			a.said = ""
		}
	case err == nil:
		info.Name = arg
		a.path, a.one = p, &info
		return a
	case replyTo(err).text == absent && isPattern(arg):
		if !a.split(arg) {
			return nil
		}
		if info, err = a.tree.Stat(s.ctx, a.path); err == nil && !info.Dir {
			err = fs.ErrNotExist
		}
		if err != nil {
			s.fail(err)
			return nil
		}
	default:
		// A link that leads nowhere is something.
		if link, lerr := tree.Lstat(s.ctx, p); lerr == nil && link.Link {
			link.Name = arg
			a.path, a.one = p, &link
			return a
		}
		s.fail(err)
		return nil
	}
	if !s.tree.Access(info).List {
		s.fail(fs.ErrPermission)
		return nil
	}
	return a
}

// split cuts the argument where its first pattern stands.
func (a *ask) split(arg string) bool {
	segments := strings.SplitAfter(arg, "/")
	n := slices.IndexFunc(segments, isPattern)
	a.said = strings.Join(segments[:n], "")
	p, tree, ok := a.s.path(a.said + ".")
	if !ok {
		return false
	}
	a.path, a.tree = p, tree
	for _, segment := range segments[n:] {
		switch segment = strings.TrimSuffix(segment, "/"); segment {
		case "", ".":
		case "..":
			a.s.fail(fs.ErrNotExist) // of which folder?
			return false
		default:
			a.pattern = append(a.pattern, parsePattern(segment))
		}
	}
	return true
}

// write writes the whole listing.
func (a *ask) write(ctx context.Context, p *page) error {
	var err error
	switch {
	case a.one != nil:
		err = a.entry(p, a.one, a.one.Name)
	case a.pattern != nil:
		if a.o.sorted() {
			p.sort(a.o.reverse)
		}
		if err = a.matches(ctx, p); err == nil {
			err = p.sorted()
		}
	case a.o.recursive:
		err = a.deep(ctx, p)
	default:
		err = a.folder(ctx, p, branch{path: a.path, said: a.said}, nil)
	}
	if err == nil {
		err = p.flush()
	}
	if err == nil && a.cut {
		err = errListBounds
	}
	return err
}

// key is what an entry is sorted by; entries of the same key are sorted by their names.
func (a *ask) key(i *files.Info) int64 {
	switch {
	case a.o.byTime:
		const most = 1 << 33 // seconds, so that nanoseconds fit too
		return -(min(max(i.ModTime.Unix(), -most), most)*int64(time.Second) + int64(i.ModTime.Nanosecond()))
	case a.o.bySize:
		return -i.Size
	}
	return 0
}

// entry writes one row.
func (a *ask) entry(p *page, i *files.Info, name string) error {
	switch {
	case a.o.long:
		p.buf = appendLong(p.buf, &a.stamps, i, name)
		if a.o.marks && !i.Link {
			p.buf = append(p.buf, mark(i)...)
		}
	default:
		p.buf = appendOneLine(p.buf, name)
		if a.o.marks {
			p.buf = append(p.buf, mark(i)...)
		}
	}
	return p.end(a.key(i))
}

// plain reports whether rows are made of names alone.
func (a *ask) plain() bool { return !a.o.long && !a.o.marks && !a.o.byTime && !a.o.bySize }

// tick is called for each entry that is looked at, written or not.
func (a *ask) tick() error {
	const often = 64
	if a.examined++; a.examined%often == 0 && a.stopped() {
		return errAborted
	}
	return nil
}

// folder writes the rows of one folder; sub is told of the folders in it.
func (a *ask) folder(ctx context.Context, p *page, b branch, sub func(name string)) error {
	prefix := ""
	if a.nlst && !a.o.long {
		prefix = b.said // RFC 1123 section 4.1.2.7: names that can be used as they stand
	}
	if a.o.sorted() {
		p.sort(a.o.reverse)
	}
	if a.o.dots {
		if err := a.dots(ctx, p, b.path, prefix); err != nil {
			return err
		}
	}
	var err error
	if a.plain() {
		err = a.tree.ReadNames(ctx, b.path, func(name string, typ fs.FileMode) error {
			if sub != nil && typ.IsDir() {
				sub(name)
			}
			p.buf = append(append(p.buf, prefix...), name...) // neither can hold the end of a line
			if err := p.end(0); err != nil {
				return err
			}
			return a.tick()
		})
	} else {
		err = a.tree.ReadDir(ctx, b.path, func(i files.Info) error {
			if sub != nil && i.Dir {
				sub(i.Name)
			}
			name := i.Name
			if prefix != "" {
				name = prefix + name
			}
			if err := a.entry(p, &i, name); err != nil {
				return err
			}
			return a.tick()
		})
	}
	if err != nil {
		return err
	}
	return p.sorted()
}

// dots writes the folder itself and the one above it.
func (a *ask) dots(ctx context.Context, p *page, at, prefix string) error {
	for _, d := range []struct{ name, path string }{{".", at}, {"..", path.Dir(at)}} {
		i, err := a.tree.Stat(ctx, d.path)
		if err != nil {
			continue // hidden, or gone meanwhile
		}
		if err := a.entry(p, &i, prefix+d.name); err != nil {
			return err
		}
	}
	return nil
}

// deep writes a folder and all below it, each folder under its own heading, as `ls -R` does; NLST has
// no headings but paths. Links are not followed.
func (a *ask) deep(ctx context.Context, p *page) error {
	waiting := []branch{{path: a.path, said: a.said}}
	for len(waiting) > 0 {
		b := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if b.depth > 0 && a.s.limited(ctx, b.path, a.verb) {
			continue
		}
		if !a.nlst {
			a.heading(p, b)
		}
		first := len(waiting)
		err := a.folder(ctx, p, b, func(name string) {
			if b.depth == maxListDepth || a.folders+len(waiting) >= maxListFolders || len(waiting) >= maxListHeld {
				a.cut = true
				return
			}
			waiting = append(waiting, branch{path.Join(b.path, name), b.said + name + "/", b.depth + 1})
		})
		if err := a.passable(p, err, b.depth > 0); err != nil {
			return err
		}
		slices.Reverse(waiting[first:])
		a.folders++
	}
	return nil
}

// heading begins a folder of a deep listing.
func (a *ask) heading(p *page, b branch) {
	if b.depth > 0 {
		p.buf = append(p.buf, '\r', '\n')
	}
	name := strings.TrimSuffix(b.said, "/")
	switch {
	case b.said == "":
		name = "."
	case name == "":
		name = "/"
	}
	p.buf = append(appendPrintable(p.buf, name), ":\r\n"...)
}

// passable lets pass that a folder on the way cannot be read, is no more, or is too deep to be said.
func (a *ask) passable(p *page, err error, inner bool) error {
	reply := replyTo(err).text
	if err != nil && inner && (errors.Is(err, fs.ErrPermission) || errors.Is(err, files.ErrNotDir) || errors.Is(err, files.ErrName) || reply == absent) {
		return p.sorted()
	}
	return err
}

// matches writes what the pattern means, each entry as itself and by the path that was asked for.
func (a *ask) matches(ctx context.Context, p *page) error {
	waiting := []branch{{path: a.path, said: a.said}}
	for len(waiting) > 0 {
		b := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if b.depth > 0 && a.s.limited(ctx, b.path, a.verb) {
			continue
		}
		here := &a.pattern[b.depth]
		last := b.depth == len(a.pattern)-1
		var err error
		switch {
		case here.forms == nil && last:
			err = a.named(ctx, p, b, here.name)
		case here.forms == nil:
			waiting = append(waiting, b.below(here.name))
		case last:
			err = a.fitting(ctx, p, b, here)
		default:
			waiting, err = a.folding(ctx, b, here, waiting)
		}
		if err := a.passable(p, err, b.depth > 0); err != nil {
			return err
		}
		if a.examined > maxListNames {
			a.cut = true
		}
		if a.cut {
			return nil
		}
	}
	return nil
}

func (b branch) below(name string) branch {
	return branch{path.Join(b.path, name), b.said + name + "/", b.depth + 1}
}

// named writes the entry of that name, if there is one.
func (a *ask) named(ctx context.Context, p *page, b branch, name string) error {
	at := path.Join(b.path, name)
	if a.s.limited(ctx, at, a.verb) {
		return nil
	}
	i, err := a.tree.Lstat(ctx, at)
	if err == nil {
		err = a.entry(p, &i, b.said+name)
	} else if replyTo(err).text == absent {
		err = nil
	}
	if err != nil {
		return err
	}
	return a.tick()
}

// fitting writes the entries of a folder that the last segment means.
func (a *ask) fitting(ctx context.Context, p *page, b branch, here *pattern) error {
	if a.folders++; a.folders > maxListFolders {
		a.cut = true
		return nil
	}
	if a.plain() {
		return a.tree.ReadNames(ctx, b.path, func(name string, _ fs.FileMode) error {
			if here.fits(name) {
				p.buf = append(append(p.buf, b.said...), name...) // neither can hold the end of a line
				if err := p.end(0); err != nil {
					return err
				}
			}
			return a.tick()
		})
	}
	return a.tree.ReadDir(ctx, b.path, func(i files.Info) error {
		if here.fits(i.Name) {
			if err := a.entry(p, &i, b.said+i.Name); err != nil {
				return err
			}
		}
		return a.tick()
	})
}

// folding adds the folders that a segment in the middle means, links to some too.
func (a *ask) folding(ctx context.Context, b branch, here *pattern, waiting []branch) ([]branch, error) {
	if a.folders++; a.folders > maxListFolders {
		a.cut = true
		return waiting, nil
	}
	first := len(waiting)
	err := a.tree.ReadNames(ctx, b.path, func(name string, typ fs.FileMode) error {
		switch {
		case typ == 0 || !here.fits(name):
		case len(waiting) >= maxListHeld:
			a.cut = true
		default:
			waiting = append(waiting, b.below(name))
		}
		return a.tick()
	})
	slices.Reverse(waiting[first:])
	return waiting, err
}
