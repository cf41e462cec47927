package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// fault is an error whose text says all of its cause that a person needs.
type fault struct {
	text  string
	cause error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.cause }

// Dir makes the data directory with mode 0700 where there is none (folders above it too) and tries
// whether a file can be written in it. The mode of an existing one stays. The error is one line for
// a person.
func Dir(path string) error {
	if path == "" {
		return &fault{"there is no data directory: set data_dir", fs.ErrInvalid}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return dirError("make", path, err)
	}
	f, err := os.CreateTemp(path, ".probe-*")
	if err != nil {
		return dirError("write to", path, err)
	}
	_, err = f.WriteString("probe\n") // a full disk lets files be made, but not filled
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return dirError("write to", path, err)
	}
	return nil
}

func dirError(doing, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &fault{fmt.Sprintf("cannot %s the data directory %s: permission denied. Run as its owner, or set data_dir", doing, path), err}
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return &fault{fmt.Sprintf("cannot %s the data directory %s: there is a file of that name, or on the way to it. Move it away, or set data_dir", doing, path), err}
	case errors.Is(err, syscall.EROFS):
		return &fault{fmt.Sprintf("cannot %s the data directory %s: its file system is read-only. Mount it writable, or set data_dir", doing, path), err}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &fault{fmt.Sprintf("cannot %s the data directory %s: its disk is full, or the quota is used up. Make room, or set data_dir", doing, path), err}
	case errors.Is(err, fs.ErrNotExist):
		return &fault{fmt.Sprintf("cannot %s the data directory %s: it does not exist. Start the server once, or set data_dir", doing, path), err}
	}
	return fmt.Errorf("cannot %s the data directory %s: %w", doing, filepath.Clean(path), err)
}
