//go:build unix && !linux

package local

func look(fd int, name string) (stat, error) { return lookPlain(fd, name) }
