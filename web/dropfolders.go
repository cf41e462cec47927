package web

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"trivium/files"
)

// errDropFull is one folder too many that a link shall make.
var errDropFull = errors.New("the link has made too many folders of late")

// dropName is where the file of a visitor goes: the folders and the name that they gave, and the numbers that the first
// folder and the file got; up to 1: none.
type dropName struct {
	segs         []string
	folder, file uint16
}

// dropSegments cuts what a visitor calls a file: its folders and its name, each a name of its own.
func dropSegments(name string) ([]string, error) {
	segs := strings.Split(name, "/")
	if len(segs) > maxDropDepth {
		return nil, files.ErrName
	}
	p := "/"
	for _, seg := range segs {
		var err error
		if p, err = member(p, seg); err != nil {
			return nil, err
		}
	}
	return segs, nil
}

// path is the file's, in the tree of the owner.
func (n dropName) path(box string) (p string, err error) {
	p = n.top(box)
	last := n.segs[len(n.segs)-1]
	for i, seg := range n.segs {
		switch {
		case i == len(n.segs)-1:
			if p, err = member(p, beside(last, int(n.file), path.Ext(last))); err != nil {
				return "", err
			}
		case i > 0:
			if p, err = member(p, seg); err != nil {
				return "", err
			}
		}
	}
	return p, nil
}

// top is the folder in the box that the file's own folders are in; the box itself, where there are none.
func (n dropName) top(box string) string {
	if len(n.segs) == 1 {
		return box
	}
	return path.Join(box, beside(n.segs[0], int(n.folder), ""))
}

// maxBeside leaves room for a number in the 255 bytes of a name.
const maxBeside = 240

// beside is a name with its number before what it ends with; shorter, where the two together would be too long.
func beside(name string, n int, ext string) string {
	if n <= 1 {
		return name
	}
	if ext == name || len(ext) > 32 {
		ext = ""
	}
	base := strings.TrimSuffix(name, ext)
	if most := maxBeside - len(ext); len(base) > most {
		for base = base[:most]; len(base) > 0 && !utf8.ValidString(base); {
			base = base[:len(base)-1]
		}
	}
	return base + " (" + strconv.Itoa(n) + ")" + ext
}

// nextNumber is the number that is tried after n others: the next one, and one that is drawn when many are taken.
func nextNumber(n int) uint16 {
	if n < maxDropKeep {
		return uint16(n + 1) //nolint:gosec // small
	}
	return uint16(maxDropKeep + 1 + rand.IntN(1<<16-maxDropKeep-1)) //nolint:gosec // below 1<<16
}

// openDrop begins a visitor's upload beside what stands there, in folders that are the visitor's alone. options says how, for
// each name that is tried.
func (s *Server) openDrop(v *visit, x files.Share, tree *files.Tree, segs []string, options func(dropName, string) files.UploadOptions) (*files.Upload, error) {
	n := dropName{segs: segs}
	for again := true; ; again = false {
		var err error
		if n.folder, err = s.dropFolders(v, x, tree, segs); err != nil {
			return nil, err
		}
		u, err := s.openBeside(v, x, tree, n, options)
		if again && len(segs) > 1 && errors.Is(err, fs.ErrNotExist) { // its owner has taken the folder away since
			s.drops.forget(dropTop{x.ID, v.browser.ID(), segs[0]})
			continue
		}
		return u, err
	}
}

// openBeside tries names for the file until one is free.
func (s *Server) openBeside(v *visit, x files.Share, tree *files.Tree, n dropName, options func(dropName, string) files.UploadOptions) (*files.Upload, error) {
	for tried := 0; ; tried++ {
		n.file = nextNumber(tried)
		p, err := n.path(x.Path)
		if err != nil {
			return nil, err
		}
		u, err := tree.Create(v.ctx(), p, options(n, p))
		if err == nil || !errors.Is(err, fs.ErrExist) || tried >= 2*maxDropKeep {
			return u, err
		}
	}
}

// dropTop is a folder as a visitor called it, and dropMade is what became of it.
type dropTop struct{ share, session, name string }

type dropMade struct {
	number uint16
	last   time.Time
}

// dropCount is how many folders a share has made since when.
type dropCount struct {
	n     int
	since time.Time
}

// dropFolders makes the folders of a file where they are not there yet, the first of them beside what stands there, and
// returns its number. Later files of the visitor in a folder of that name come into the same.
func (s *Server) dropFolders(v *visit, x files.Share, tree *files.Tree, segs []string) (uint16, error) {
	if len(segs) == 1 {
		return 0, nil
	}
	d, now := s.drops, s.now()
	d.making.Lock()
	defer d.making.Unlock()
	key := dropTop{x.ID, v.browser.ID(), segs[0]}
	top, known := d.tops[key]
	if !known {
		number, err := s.makeTop(v, x, tree, segs, now)
		if err != nil {
			return 0, err
		}
		top.number = number
	}
	top.last = now
	d.remember(key, top)
	at := dropName{segs: segs, folder: top.number}.top(x.Path)
	for _, seg := range segs[1 : len(segs)-1] {
		at = path.Join(at, seg)
		if err := d.mayMake(x.ID, now); err != nil {
			return 0, err
		}
		switch err := tree.Mkdir(v.ctx(), at); {
		case err == nil:
			d.count(x.ID)
		case errors.Is(err, fs.ErrNotExist) && known:
			delete(d.tops, key)
			return top.number, nil // openDrop finds out, and begins anew
		case !errors.Is(err, fs.ErrExist):
			return 0, err
		}
	}
	return top.number, nil
}

// makeTop makes the first of a file's folders, and returns its number. drops.making is held.
func (s *Server) makeTop(v *visit, x files.Share, tree *files.Tree, segs []string, now time.Time) (uint16, error) {
	for tried := 0; ; tried++ {
		if err := s.drops.mayMake(x.ID, now); err != nil {
			return 0, err
		}
		n := dropName{segs: segs, folder: nextNumber(tried)}
		err := tree.Mkdir(v.ctx(), n.top(x.Path))
		if err == nil {
			s.drops.count(x.ID)
			return n.folder, nil
		}
		if !errors.Is(err, fs.ErrExist) || tried >= 2*maxDropKeep {
			return 0, err
		}
	}
}

// remember notes the number of a visitor's folder. making is held.
func (d *drops) remember(key dropTop, top dropMade) {
	if _, known := d.tops[key]; !known && len(d.tops) >= maxDropTops {
		maps.DeleteFunc(d.tops, func(_ dropTop, m dropMade) bool { return top.last.Sub(m.last) >= dropLife })
		for k := range d.tops { // whichever: its next file comes into a folder of its own
			if len(d.tops) < maxDropTops {
				break
			}
			delete(d.tops, k)
		}
	}
	d.tops[key] = top
}

func (d *drops) forget(key dropTop) {
	d.making.Lock()
	defer d.making.Unlock()
	delete(d.tops, key)
}

// mayMake answers errDropFull where a share has made enough. making is held.
func (d *drops) mayMake(share string, now time.Time) error {
	c, ok := d.made[share]
	if !ok || now.Sub(c.since) >= dropLife {
		maps.DeleteFunc(d.made, func(_ string, c dropCount) bool { return now.Sub(c.since) >= dropLife })
		d.made[share] = dropCount{since: now}
		return nil
	}
	if c.n >= maxDropMade {
		return errDropFull
	}
	return nil
}

// count counts a folder that was made. making is held.
func (d *drops) count(share string) {
	c := d.made[share]
	c.n++
	d.made[share] = c
}
