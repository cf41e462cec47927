package local

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// opened is what has a descriptor: a folder, or an *os.File.
type opened interface {
	Fd() uintptr
	Close() error
}

// folder is an opened folder, or a file of which nothing is read: a bare descriptor. What os.File does
// beside opening and closing one costs as much as these. It is for one goroutine at a time, and stays
// open until it is closed.
type folder struct{ fd int }

func (f *folder) Fd() uintptr { return uintptr(f.fd) }

// Close closes it; to close it twice is fs.ErrClosed and does nothing.
func (f *folder) Close() error {
	if f.fd < 0 {
		return fs.ErrClosed
	}
	fd := f.fd
	f.fd = -1
	return unix.Close(fd)
}
