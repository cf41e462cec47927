//go:build unix && !linux

package local

// renameat moves a name; exclusive refuses to replace anything.
func renameat(from opened, name string, to opened, newname string, exclusive bool) error {
	if exclusive {
		return renameChecked(from, name, to, newname)
	}
	return renamePlain(from, name, to, newname)
}
