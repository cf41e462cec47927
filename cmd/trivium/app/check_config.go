package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"trivium/config"
	"trivium/doctor"
)

// configFile says whether the file on disk is one that the server would start with.
func (p *patient) configFile(context.Context) []doctor.Result {
	const id = "config.file"
	name, set := "the configuration (no file, the defaults)", 0
	if p.cfg.File != "" {
		name = filepath.Base(p.cfg.File)
	}
	for _, e := range p.cfg.Entries() {
		if e.Changed() {
			set++
		}
	}
	var list []doctor.Result
	r := good(id, fmt.Sprintf("%s is valid (%s set)", name, count(set, "key")))
	if p.cfg.File != "" {
		if _, err := os.Stat(p.cfg.File); err != nil {
			r = failed(id, name+" is gone", "the server runs with what it read at its start, and would start again with something else", "put the file back: "+p.cfg.File)
		}
	}
	if p.disk != nil {
		if _, err := p.disk(nil); err != nil {
			r = failed(id, name+" on disk is not valid", "the server runs with what it read before, and would not start with this: "+firstFault(err), "trivium config check")
		}
	}
	list = append(list, r)
	if len(p.cfg.Warnings) > 0 {
		list = append(list, warning(id+".warnings", count(len(p.cfg.Warnings), "warning")+" about the configuration", strings.Join(p.cfg.Warnings, " "), "trivium config check"))
	}
	return list
}

// count is "1 key" or "2 keys".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// secretFile is a file or folder that others should not be able to open.
type secretFile struct {
	id, what, path string
	allowed        fs.FileMode // bits that may be there
}

// secretFiles are what lies on this machine and is worth something.
func (p *patient) secretFiles() []secretFile {
	dir := p.cfg.DataDir
	list := []secretFile{
		{"config.modes.data", "the data directory", dir, 0o750},
		{"config.modes.seal", "the seal key", filepath.Join(dir, "seal.key"), 0o600},
		{"config.modes.database", "the database", filepath.Join(dir, "trivium.db"), 0o640},
		{"config.modes.key", "the key of the self-signed certificate", filepath.Join(dir, "tls", "key.pem"), 0o600},
	}
	if p.cfg.File != "" && p.inlineSecrets() {
		list = append(list, secretFile{"config.modes.file", "the configuration file, which holds secrets,", p.cfg.File, 0o640})
	}
	if _, key := p.cfg.TLS.Paths(); key != "" {
		list = append(list, secretFile{"config.modes.tls", "the key of tls.key", key, 0o640})
	}
	return list
}

// inlineSecrets reports whether a secret stands in the file itself.
func (p *patient) inlineSecrets() bool {
	for _, e := range p.cfg.Entries() {
		if e.Secret && e.Layer == config.LayerFile && e.Value == "set" {
			return true
		}
	}
	return false
}

// modes says which of them others can open.
func (p *patient) modes(context.Context) []doctor.Result {
	var list []doctor.Result
	for _, f := range p.secretFiles() {
		info, err := os.Stat(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			list = append(list, skipped(f.id, f.what, "its mode cannot be read: "+err.Error()))
			continue
		}
		if wide := info.Mode().Perm() &^ f.allowed; wide != 0 {
			why := "every user of this machine can read it"
			if wide&0o007 == 0 {
				why = "its group can do more with it than it should"
			}
			r := warning(f.id, fmt.Sprintf("%s has the mode %04o", f.what, info.Mode().Perm()), why, fmt.Sprintf("chmod %04o %s", info.Mode().Perm()&f.allowed, f.path))
			r.Fixable = true
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return one(good("config.modes", "file modes"))
	}
	return list
}

// fixMode takes the bits away that are too many.
func (p *patient) fixMode(_ context.Context, id string) error {
	for _, f := range p.secretFiles() {
		if f.id != id {
			continue
		}
		info, err := os.Stat(f.path)
		if err != nil {
			return err
		}
		return os.Chmod(f.path, info.Mode().Perm()&f.allowed)
	}
	return fmt.Errorf("%s is no file that is looked at", id)
}
