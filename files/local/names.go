package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Bounds of what one reading of a folder holds. A folder with more is read again for the next of its
// names, so a listing of a million entries takes no more memory, and some more time.
const (
	maxNames    = 1 << 18
	maxNameText = 8 << 20 // bytes
)

// unknownType is what a file system says that keeps no types beside its names.
const unknownType = fs.ModeIrregular | fs.ModeTemporary

// eachName calls fn with each name in a folder and its type, sorted by the bytes of the names. What
// comes or goes meanwhile is left out or given, but nothing is given twice.
func (s *Store) eachName(ctx context.Context, at opened, fn func(name string, typ fs.FileMode) error) error {
	return s.eachBatch(ctx, at, func(b *batch) error {
		const often = 64 // entries; the question costs as much as an entry
		for i := range b.names {
			if i%often == 0 && ctx.Err() != nil {
				break
			}
			if err := fn(b.string(i), b.names[i].typ.mode()); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// eachBatch calls fn with as many names at a time as may be held; mostly that is all of them.
func (s *Store) eachBatch(ctx context.Context, at opened, fn func(*batch) error) error {
	fd, err := openFD(at, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0) // a position of its own
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	b, ok := s.batches.Get().(*batch)
	if !ok {
		b = new(batch)
	}
	defer func() {
		if b.small() {
			s.batches.Put(b)
		}
	}()
	b.most, b.mostText, b.after = maxNames, maxNameText, ""
	for {
		if err := b.fill(f); err != nil {
			return err
		}
		b.given = string(b.text)
		err := fn(b)
		if err != nil || !b.more {
			b.given, b.after = "", ""
			return err
		}
		b.after = b.string(len(b.names) - 1)
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

// batch is the first names of a folder that come after one.
type batch struct {
	most, mostText int

	buf   []byte // for getdents(2)
	after string // the last name of the batch before; "" for the first
	text  []byte // the names, one behind the other
	given string // text, when all have been found
	names []name
	more  bool   // there are names beyond limit
	limit []byte // the first name that no longer counts; nil for none
}

// name is one of them.
type name struct {
	key  uint64 // the first bytes that tell it from others
	at   uint32 // in batch.text
	size uint16
	typ  kind
}

// fill reads the folder.
func (b *batch) fill(f *os.File) error {
	b.text, b.names, b.more, b.limit = b.text[:0], b.names[:0], false, nil
	var err error
	b.buf, err = readDirents(f, b.buf, func(s []byte, typ kind) {
		if b.after != "" && string(s) <= b.after {
			return
		}
		if b.limit != nil && bytes.Compare(s, b.limit) >= 0 {
			return
		}
		if len(b.names) >= b.most || len(b.text)+len(s) > b.mostText {
			b.cut()
			if bytes.Compare(s, b.limit) >= 0 {
				return
			}
		}
		b.names = append(b.names, name{at: uint32(len(b.text)), size: uint16(len(s)), typ: typ})
		b.text = append(b.text, s...)
	})
	if err != nil {
		return err
	}
	b.sort()
	return nil
}

// small reports whether it may be kept for the next folder.
func (b *batch) small() bool {
	const keep = 1 << 20 // bytes of text; names are bigger in about that measure
	return cap(b.text) <= keep && cap(b.names) <= keep/8
}

// string is the name with that number.
func (b *batch) string(i int) string {
	n := b.names[i]
	return b.given[n.at : n.at+uint32(n.size)]
}

func (b *batch) name(n name) []byte { return b.text[n.at : n.at+uint32(n.size)] }

// cut forgets the second half of the names.
func (b *batch) cut() {
	b.sort()
	half := len(b.names) / 2
	b.limit, b.more = bytes.Clone(b.name(b.names[half])), true
	b.names = b.names[:half]
	text := make([]byte, 0, cap(b.text))
	for i, n := range b.names {
		b.names[i].at = uint32(len(text))
		text = append(text, b.name(n)...)
	}
	b.text = text
}

// sort sorts by the bytes of the names. What all begin with is passed over, and the eight bytes
// behind it decide for most pairs.
func (b *batch) sort() {
	if len(b.names) < 2 {
		return
	}
	common := b.name(b.names[0])
	for _, n := range b.names[1:] {
		s := b.name(n)
		for i := range common {
			if i == len(s) || s[i] != common[i] {
				common = common[:i]
				break
			}
		}
	}
	skip := len(common)
	for i, n := range b.names {
		var first [8]byte
		copy(first[:], b.name(n)[skip:])
		b.names[i].key = binary.BigEndian.Uint64(first[:])
	}
	slices.SortFunc(b.names, func(x, y name) int {
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return bytes.Compare(b.name(x)[skip:], b.name(y)[skip:])
	})
}
