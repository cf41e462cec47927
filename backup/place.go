package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Names that a restore uses in the data directory and in that of files.
const (
	// AsidePrefix begins the folder into which what was there goes.
	AsidePrefix = "before-restore-"
	stagePrefix = ".restore-"
	// Unfinished is a file in the data directory while a restore puts things in their place: a server must not
	// start then.
	Unfinished = "restore.unfinished"
)

// Stage makes an empty folder in dir for a restore, and removes those that earlier ones have left.
func Stage(dir string) (string, error) {
	if err := Sweep(dir); err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, stagePrefix+"*") // mode 0700
}

// Sweep removes what a restore that was broken off has unpacked in dir.
func Sweep(dir string) error {
	old, err := filepath.Glob(filepath.Join(escapeGlob(dir), stagePrefix+"*"))
	for _, o := range old {
		err = errors.Join(err, os.RemoveAll(o))
	}
	return err
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// Swap is what takes the place of what: all of From, by its names, goes into Dir. Of Dir, what Old chooses is
// set aside before.
type Swap struct {
	Dir, From string
	Old       func(name string) bool
}

// Place puts a restore in its place: it sets aside what stands there, never deletes it, and leaves a mark in
// data while it is at it. It answers the folders into which things were set aside.
func Place(data string, now time.Time, swaps ...Swap) (aside []string, err error) {
	mark := filepath.Join(data, Unfinished)
	text := "A restore was broken off here. Run trivium backup restore again; what was set aside lies in " + AsidePrefix + "* beside this file and in the folder of files.\n"
	if err := os.WriteFile(mark, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := syncDir(data); err != nil {
		return nil, err
	}
	for _, s := range swaps {
		made, err := s.aside(now)
		if made != "" {
			aside = append(aside, made)
		}
		if err != nil {
			return aside, err
		}
	}
	for _, s := range swaps {
		if err := s.in(); err != nil {
			return aside, err
		}
	}
	if err := os.Remove(mark); err != nil {
		return aside, err
	}
	return aside, syncDir(data)
}

func (s Swap) aside(now time.Time) (made string, err error) {
	list, err := os.ReadDir(s.Dir)
	if err != nil {
		return "", err
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name(), AsidePrefix) || strings.HasPrefix(e.Name(), stagePrefix) || !s.Old(e.Name()) {
			continue
		}
		if made == "" {
			if made, err = newFolder(filepath.Join(s.Dir, AsidePrefix+now.UTC().Format("20060102-150405"))); err != nil {
				return "", err
			}
		}
		if err := os.Rename(filepath.Join(s.Dir, e.Name()), filepath.Join(made, e.Name())); err != nil {
			return made, err
		}
	}
	return made, nil
}

// newFolder makes a folder of that name, or of that name with a number.
func newFolder(name string) (string, error) {
	for n := 1; ; n++ {
		try := name
		if n > 1 {
			try = fmt.Sprintf("%s-%d", name, n)
		}
		err := os.Mkdir(try, 0o700)
		if err == nil || !errors.Is(err, fs.ErrExist) || n > 100 {
			return try, err
		}
	}
}

func (s Swap) in() error {
	list, err := os.ReadDir(s.From)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := os.Rename(filepath.Join(s.From, e.Name()), filepath.Join(s.Dir, e.Name())); err != nil {
			return err
		}
	}
	if err := os.Remove(s.From); err != nil {
		return err
	}
	return syncDir(s.Dir)
}

// syncDir makes renames in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
