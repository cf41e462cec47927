package local

import (
	"context"
	"errors"
	"io/fs"
	"runtime"

	"trivium/files"
)

// In a folder of many entries, a second goroutine looks at two of three pieces of them, while this one
// looks at the third and gives away what has been found: looking is one system call each, twice the
// work of the rest of a listing. It is at most ahead pieces ahead.
const (
	piece = 64        // entries
	many  = 8 * piece // from here on there is a second goroutine
	share = 3         // one piece of so many is looked at here
	ahead = 2         // pieces that wait to be given away
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
	looked, stop := make(chan []found, ahead), make(chan struct{})
	go d.lookAhead(b, marked, looked, stop)
	defer func() {
		close(stop)
		for range looked { // until it has ended: the batch and the folder are its no longer
		}
	}()
	own := make([]found, piece)
	for from := 0; from < len(b.names); from += piece {
		all := own[:min(piece, len(b.names)-from)]
		if from/piece%share == 0 {
			d.lookAll(all, b, from, marked)
		} else {
			all = <-looked
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

// lookAhead looks at the other pieces. Of its buffers, some wait, one is given away and one is filled:
// when it comes to a buffer again, what was in it has been given away.
func (d *dir) lookAhead(b *batch, marked bool, looked chan<- []found, stop <-chan struct{}) {
	defer close(looked)
	var bufs [ahead + 2][]found
	n := 0
	for from := 0; from < len(b.names); from += piece {
		if from/piece%share == 0 {
			continue
		}
		buf := bufs[n%len(bufs)]
		if buf == nil {
			buf = make([]found, piece)
			bufs[n%len(bufs)] = buf
		}
		n++
		buf = buf[:min(piece, len(b.names)-from)]
		d.lookAll(buf, b, from, marked)
		select {
		case looked <- buf:
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
