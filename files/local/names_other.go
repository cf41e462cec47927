//go:build unix && !linux

package local

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// kind is the type of an entry.
type kind fs.FileMode

func (k kind) mode() fs.FileMode { return fs.FileMode(k) }

// direntsAtOnce is how many entries one call gives.
const direntsAtOnce = 1024

// readDirents calls fn with each name in an opened folder from its position on.
func readDirents(f *os.File, _ []byte, fn func(name []byte, typ kind)) ([]byte, error) {
	for {
		all, err := f.ReadDir(direntsAtOnce)
		for _, e := range all {
			typ := e.Type()
			if typ&^(fs.ModeDir|fs.ModeSymlink) != 0 {
				typ = fs.ModeIrregular
			}
			fn([]byte(e.Name()), kind(typ))
		}
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, translate(err)
		}
	}
}
