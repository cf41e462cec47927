package local

import (
	"golang.org/x/sys/unix"
)

// renameat moves a name; exclusive refuses to replace anything. File systems that cannot do that in
// one step get renameChecked.
func renameat(from opened, name string, to opened, newname string, exclusive bool) error {
	if !exclusive {
		return renamePlain(from, name, to, newname)
	}
	err := again(func() error {
		return unix.Renameat2(int(from.Fd()), name, int(to.Fd()), newname, unix.RENAME_NOREPLACE)
	})
	if err == unix.EINVAL || err == unix.ENOSYS {
		return renameChecked(from, name, to, newname)
	}
	return err
}
