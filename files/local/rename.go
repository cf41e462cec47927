package local

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

func renamePlain(from opened, name string, to opened, newname string) error {
	return again(func() error { return unix.Renameat(int(from.Fd()), name, int(to.Fd()), newname) })
}

// renameChecked looks before it renames. Only a hand outside this program can come between: package
// files holds the tree's names meanwhile.
func renameChecked(from opened, name string, to opened, newname string) error {
	_, err := statat(to, newname)
	if err == nil {
		return fs.ErrExist
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return renamePlain(from, name, to, newname)
}
