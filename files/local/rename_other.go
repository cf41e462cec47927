//go:build unix && !linux

package local

import "os"

// renameat moves a name; exclusive refuses to replace anything.
func renameat(from *os.File, name string, to *os.File, newname string, exclusive bool) error {
	if exclusive {
		return renameChecked(from, name, to, newname)
	}
	return renamePlain(from, name, to, newname)
}
