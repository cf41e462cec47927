package local

import (
	"context"
	"errors"
	"io/fs"
	"runtime"

	"trivium/files"
)

// In a folder of many entries, a second goroutine looks at every second piece of them, while this one
// looks at the others and gives away what has been found: looking is one system call each, and most of
// the work of a listing. It is at most one piece ahead.
const (
	piece = 128       // entries
	many  = 4 * piece // from here on there is a second goroutine
)

// found is an entry that was looked at.
type found struct {
	node files.Node
	err  error
}

// eachNode calls fn with each entry of the batch.
func (d *dir) eachNode(ctx context.Context, b *batch, marked bool, fn func(files.Node) error) error {
	if len(b.names) < many || runtime.GOMAXPROCS(0) == 1 {
		var one found
		for i := range b.names {
			if err := ctx.Err(); err != nil {
				return err
			}
			d.look(&one, b.string(i), marked)
			if err := give(&one, fn); err != nil {
				return err
			}
		}
		return nil
	}
	ahead, stop := make(chan []found), make(chan struct{})
	go d.lookAhead(b, marked, ahead, stop)
	defer func() {
		close(stop)
		for range ahead { // until it has ended: the batch and the folder are its no longer
		}
	}()
	own := make([]found, piece)
	for from := 0; from < len(b.names); from += piece {
		all := own[:min(piece, len(b.names)-from)]
		if from/piece%2 == 0 {
			d.lookAll(all, b, from, marked)
		} else {
			all = <-ahead
		}
		for i := range all {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := give(&all[i], fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookAhead looks at every second piece. It has two buffers: when one has been taken, the other is
// free again.
func (d *dir) lookAhead(b *batch, marked bool, ahead chan<- []found, stop <-chan struct{}) {
	defer close(ahead)
	var bufs [2][]found
	for i, from := 0, piece; from < len(b.names); i, from = i+1, from+2*piece {
		buf := bufs[i%2]
		if buf == nil {
			buf = make([]found, piece)
			bufs[i%2] = buf
		}
		buf = buf[:min(piece, len(b.names)-from)]
		d.lookAll(buf, b, from, marked)
		select {
		case ahead <- buf:
		case <-stop:
			return
		}
	}
}

func (d *dir) lookAll(all []found, b *batch, from int, marked bool) {
	for i := range all {
		d.look(&all[i], b.string(from+i), marked)
	}
}

// look looks at one entry; what the store keeps for itself does not exist.
func (d *dir) look(f *found, name string, marked bool) {
	if d.hides(name) {
		f.err = fs.ErrNotExist
		return
	}
	f.node, f.err = d.lstat(name, marked)
}

// give calls fn with an entry, if it is still there.
func give(f *found, fn func(files.Node) error) error {
	switch {
	case f.err == nil:
		return fn(f.node)
	case errors.Is(f.err, fs.ErrNotExist), errors.Is(f.err, files.ErrNotDir):
		return nil // gone meanwhile, or exchanged for a link
	}
	return f.err
}
