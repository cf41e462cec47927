package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// target is one server that runs and is measured.
type target struct {
	name           string
	addr           string
	user, password string
	pid            int
	home           string // of the user, on disk
	uid            int    // whose the files in it are; 0: of this process
	only           []string
	stop           func()
	fresh          func() (*target, error) // another of the kind, just started; nil: no need
}

// does reports whether a figure makes sense with the target.
func (t *target) does(figure string) bool {
	return t.only == nil || slices.Contains(t.only, figure)
}

// The files that every home holds.
const (
	bigFile   = "big"    // -size bytes
	eighth    = "eighth" // an eighth of that
	smallFile = "small"  // 4 kB
	textFile  = "text"   // -size/8 bytes in lines of 80
	manyDir   = "many"   // manyFiles empty files
	upload    = "up"     // where uploads go
	smallSize = 4000     // bytes
	manyFiles = 10_000   // entries
	parallel  = 8        // streams, log-ins at once
	lineBytes = 80       // with its end
)

// homes fills a folder once; each home has links to its files.
type homes struct {
	dir  string
	size int64
}

func newHomes(size int64) (*homes, error) {
	dir, err := os.MkdirTemp(scratch(), "trivium-bench-files-")
	if err != nil {
		return nil, err
	}
	h := &homes{dir: dir, size: size}
	line := []byte(strings.Repeat("x", lineBytes-1) + "\n")
	for _, f := range []struct {
		name string
		size int64
		unit []byte
	}{
		{bigFile, size, make([]byte, block)}, {eighth, size / parallel, make([]byte, block)},
		{smallFile, smallSize, make([]byte, block)}, {textFile, size / parallel / lineBytes * lineBytes, []byte(strings.Repeat(string(line), block/lineBytes))},
	} {
		if err := fill(filepath.Join(dir, f.name), f.size, f.unit); err != nil {
			h.remove()
			return nil, err
		}
	}
	return h, nil
}

func (h *homes) remove() { _ = os.RemoveAll(h.dir) }

// fill writes unit again and again, up to size bytes.
func fill(name string, size int64, unit []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for size > 0 && err == nil {
		part := unit[:min(size, int64(len(unit)))]
		_, err = f.Write(part)
		size -= int64(len(part))
	}
	return errors.Join(err, f.Close())
}

// furnish gives a target's home its files.
func (h *homes) furnish(t *target) error {
	if err := os.MkdirAll(filepath.Join(t.home, manyDir), 0o755); err != nil {
		return err
	}
	if !t.does("down") { // on a disk, where there are no links to what lies in memory
		return fill(filepath.Join(t.home, smallFile), smallSize, make([]byte, block))
	}
	for _, name := range []string{bigFile, eighth, smallFile, textFile} {
		at := filepath.Join(t.home, name)
		if err := os.Link(filepath.Join(h.dir, name), at); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := os.Chmod(at, 0o644); err != nil { //nolint:gosec // peers read as another account
			return err
		}
	}
	for i := range manyFiles {
		if err := os.WriteFile(filepath.Join(t.home, manyDir, fmt.Sprintf("file-%05d.dat", i)), nil, 0o644); err != nil { //nolint:gosec
			return err
		}
	}
	if t.uid == 0 {
		return nil
	}
	return errors.Join(os.Chown(t.home, t.uid, t.uid), os.Chown(filepath.Join(t.home, manyDir), t.uid, t.uid))
}

// own starts our server with one account. Without sync it is as it is fair beside peers, which promise
// nothing about the disk; with it, its data lies on a disk, where that costs something.
func own(ctx context.Context, bin string, sync bool) (*target, error) {
	// Client and server share this machine's ports: the server's are outside those that the system
	// gives to clients, and more than the sessions that are open at once.
	name, parent, ports := ours, scratch(), "20000-25999"
	if sync {
		name, parent, ports = oursSync, os.TempDir(), "26000-29999"
	}
	s, err := startIn(ctx, parent, bin, "--set", fmt.Sprintf("files.sync=%t", sync), "--set", "ftp.passive_ports="+ports)
	if err != nil {
		return nil, err
	}
	if err := s.add(ctx, "bench"); err != nil {
		s.stop()
		return nil, err
	}
	t := s.target("bench")
	t.name = name
	t.fresh = func() (*target, error) { return own(ctx, bin, sync) }
	// The home is made at the first log-in.
	c, err := session(t, false)
	if err == nil {
		_, err = c.get("NLST", make([]byte, block))
		c.close()
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return t, nil
}
