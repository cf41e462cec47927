package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Options says where the settings come from.
type Options struct {
	// File is --config; empty looks at $TRIVIUM_CONFIG and then in the usual places.
	File string
	// Dev is --dev: loopback, high ports, data in ./var. Of the usual places it looks at the
	// working directory alone, so that it never works on the data of an installed server.
	Dev bool
	// DataDir is --data-dir; it wins over every layer.
	DataDir string
	// Set holds the --set flags as section.key=value.
	Set []string
	// Chosen are values that people set in the running server, by key: live keys alone, above every
	// other layer.
	Chosen map[string]string
	// Env is the environment in the form of os.Environ. Nothing else of it is read.
	Env []string
	// Dir is the working directory; empty: os.Getwd.
	Dir string
	// SystemDir is the last place to look; empty: /etc/trivium.
	SystemDir string
	// Validators say what text is good for a key (identity.default_level) or else for a type:
	// level, domain, class, mount, resource (the patterns of [policy]). Their errors end a sentence that
	// begins with the key. Nothing is asked about an empty value where empty is the default.
	Validators map[string]func(string) error
}

// Layer is where a value can come from; later ones win.
type Layer string

// The layers, from the weakest to the strongest.
const (
	LayerDefault Layer = "default"
	LayerFile    Layer = "file"
	LayerEnv     Layer = "env"
	LayerFlag    Layer = "flag"
	LayerSet     Layer = "set" // in the running server
)

func (l Layer) rank() int {
	switch l {
	case LayerFile:
		return 1
	case LayerEnv:
		return 2
	case LayerFlag:
		return 3
	case LayerSet:
		return 4
	}
	return 0
}

// Source is where the value of one key came from.
type Source struct {
	Layer Layer
	Name  string // default, trivium.toml:12, env TRIVIUM_X, --set, --data-dir
}

// String returns the name.
func (s Source) String() string { return s.Name }

// given is one value that one layer gives.
type given struct {
	key    *key
	path   string // key.Path, or policy and the pattern
	texts  []string
	source Source
	item   *item  // of the file
	where  string // of the environment and flags
	dir    string // where a relative path begins
}

// delim parts the steps of a path inside koanf; a pattern of [policy] may hold any printable one.
const delim = "\x1f"

// loader collects layers and faults.
type loader struct {
	o      Options
	schema *schema
	dir    string
	doc    *document
	merged *koanf.Koanf
	last   map[string]given              // by path: what the strongest layer said
	rows   map[string][]map[string]given // entries of lists of sections, by section
	bad    map[string]bool
	faults []Fault
	cfg    *Config
}

// Load reads every layer and checks all of it. The error is a *[Faults] with everything that is
// wrong, or, when not even the working directory can be found, one that says so.
func Load(o Options) (*Config, error) {
	if o.Dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("finding the working directory: %w", err)
		}
		o.Dir = wd
	}
	path, err := find(o)
	if err != nil {
		return nil, err
	}
	var text []byte
	if path != "" {
		if text, err = readFile(path); err != nil {
			return nil, err
		}
	}
	return load(o, path, text)
}

// find returns the absolute path of the file, "" when there is none.
func find(o Options) (string, error) {
	named := func(path, by string) (string, error) {
		path = absolute(o.Dir, path)
		if _, err := os.Stat(path); err != nil {
			return "", unreadable(path, fmt.Sprintf("cannot be read: %v (named by %s)", plainPathError(err), by))
		}
		return path, nil
	}
	if o.File != "" {
		return named(o.File, "--config")
	}
	if path := getenv(o.Env, "TRIVIUM_CONFIG"); path != "" {
		return named(path, "TRIVIUM_CONFIG")
	}
	places := []string{filepath.Join(o.Dir, fileName)}
	if !o.Dev {
		home := getenv(o.Env, "XDG_CONFIG_HOME")
		if home == "" && getenv(o.Env, "HOME") != "" {
			home = filepath.Join(getenv(o.Env, "HOME"), ".config")
		}
		if home != "" {
			places = append(places, filepath.Join(home, "trivium", fileName))
		}
		system := o.SystemDir
		if system == "" {
			system = "/etc/trivium"
		}
		places = append(places, filepath.Join(system, fileName))
	}
	for _, path := range places {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.Mode().IsRegular():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return "", unreadable(path, fmt.Sprintf("cannot be read: %v", plainPathError(err)))
		}
	}
	return "", nil
}

const fileName = "trivium.toml"

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		return nil, unreadable(path, fmt.Sprintf("is larger than %s: is it the right file?", Size(maxFile)))
	}
	if err == nil {
		var text []byte
		if text, err = os.ReadFile(path); err == nil {
			return text, nil
		}
	}
	return nil, unreadable(path, fmt.Sprintf("cannot be read: %v", plainPathError(err)))
}

// unreadable is the one fault of a file that nothing else can be said about.
func unreadable(path, message string) *Faults {
	return &Faults{List: []Fault{{Where: path, File: path, Message: message}}}
}

// plainPathError leaves out what the sentence around it says already.
func plainPathError(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

func getenv(env []string, name string) string {
	value := ""
	for _, e := range env {
		if n, v, ok := strings.Cut(e, "="); ok && n == name {
			value = v
		}
	}
	return value
}

// load does everything but finding and reading the file.
func load(o Options, path string, text []byte) (*Config, error) {
	l := &loader{o: o, schema: newSchema(), merged: koanf.New(delim), last: map[string]given{}, rows: map[string][]map[string]given{}, bad: map[string]bool{},
		cfg: &Config{Dev: o.Dev, File: path, Policy: map[string]string{}, sources: map[string]Source{}, values: map[string][]string{}}}
	l.defaults()
	if path != "" {
		l.dir = filepath.Dir(path)
		name := path
		if rel, err := filepath.Rel(o.Dir, path); err == nil && filepath.IsLocal(rel) {
			name = rel
		}
		l.doc = parseDocument(name, text)
		l.file()
	}
	l.environment()
	l.flags()
	l.chosen()
	l.decode()
	l.validate()
	l.warn()
	if len(l.faults) > 0 {
		sortFaults(l.faults)
		f := &Faults{List: l.faults}
		if l.doc != nil {
			f.File = l.doc.name
		}
		return nil, f
	}
	return l.cfg, nil
}

// apply puts one layer over the others. koanf merges; what is remembered beside it is the source.
func (l *loader) apply(layer []given) {
	flat := map[string]any{}
	for _, g := range layer {
		flat[strings.Replace(g.path, ".", delim, 1)] = g.texts
		l.last[g.path] = g
	}
	// A confmap cannot fail to load: its keys are ours and do not nest into one another.
	if err := l.merged.Load(confmap.Provider(flat, delim), nil); err != nil {
		l.faults = append(l.faults, Fault{Where: "configuration", Message: err.Error()})
	}
}

func (l *loader) defaults() {
	var layer []given
	name := string(LayerDefault)
	if l.o.Dev {
		name += " (--dev)"
	}
	for _, k := range l.schema.keys {
		source := Source{LayerDefault, string(LayerDefault)}
		if k.Dev != k.Default {
			source.Name = name
		}
		text := k.fallback(l.o.Dev)
		texts := []string{text}
		if k.List {
			texts = splitList(text)
		}
		layer = append(layer, given{key: k, path: k.Path, texts: texts, source: source, dir: l.o.Dir})
	}
	l.apply(layer)
}

// accept checks the texts of one value; it returns false, with the faults noted, when one is bad.
func (l *loader) accept(g given) bool {
	good := true
	for i, text := range g.texts {
		if err := g.key.check(text, l.o.Validators); err != nil {
			l.fault(g, i, g.path+err.Error(), "")
			good = false
		}
	}
	return good
}

// fault notes what is wrong with a value; part is the entry of a list, -1 for all of it.
func (l *loader) fault(g given, part int, message, hint string) {
	l.bad[g.path] = true
	if g.item == nil {
		l.faults = append(l.faults, Fault{Where: g.where, Layer: g.source.Layer, Key: g.key.Path, Message: printable(message), Hint: hint, known: true})
		return
	}
	at := g.item.value
	if part >= 0 && part < len(g.item.parts) {
		at = g.item.parts[part]
	}
	f := l.inFile(at, message, hint)
	f.Key, f.known = g.path, true
	l.faults = append(l.faults, f)
}

// decode turns what the layers merged to into the structs.
func (l *loader) decode() {
	root := reflect.ValueOf(l.cfg).Elem()
	for _, k := range l.schema.keys {
		g := l.last[k.Path]
		texts := l.merged.Strings(strings.Replace(k.Path, ".", delim, 1))
		l.cfg.sources[k.Path], l.cfg.values[k.Path] = g.source, texts
		if k.Secret && k.Type != "keyfile" {
			texts = l.readSecret(g, texts)
		}
		if len(texts) > 0 || k.List {
			k.set(root.FieldByIndex(k.index), texts)
		}
	}
	for path, g := range l.last {
		if pattern, ok := strings.CutPrefix(path, "policy."); ok {
			l.cfg.Policy[pattern] = g.texts[0]
			l.cfg.sources[path], l.cfg.values[path] = g.source, g.texts
		}
	}
	for name, t := range l.schema.tables {
		list := root.FieldByIndex(t.index)
		for _, fields := range l.rows[name] {
			list.Set(reflect.Append(list, t.entry(l.resolved(fields))))
			if id, ok := fields[t.id.Name]; ok {
				l.cfg.sources[name+"."+id.texts[0]] = id.source
			}
		}
	}
	l.paths()
}

// paths makes absolute what must not move with the working directory.
func (l *loader) paths() {
	c := l.cfg
	c.DataDir = absolute(l.last["data_dir"].dir, c.DataDir)
	c.values["data_dir"] = []string{c.DataDir}
	if c.TLS.Cert != "" {
		c.TLS.certPath = absolute(l.last["tls.cert"].dir, strings.TrimPrefix(c.TLS.Cert, fileRef))
	}
	if key := c.TLS.Key.Reveal(); key != "" && !strings.Contains(key, pemMark) {
		c.TLS.keyPath = absolute(l.last["tls.key"].dir, strings.TrimPrefix(key, fileRef))
	}
	if out := c.Log.Output; out != "stderr" && out != "stdout" {
		c.Log.Output = absolute(l.last["log.output"].dir, out)
	}
	for key, at := range map[string]*string{"ftp.display_connect": &c.FTP.DisplayConnect, "ftp.display_login": &c.FTP.DisplayLogin,
		"ftp.display_quit": &c.FTP.DisplayQuit, "ftp.xferlog": &c.FTP.XferLog, "ftp.transfer_log": &c.FTP.TransferLog, "tls.folder": &c.TLS.Folder, "tls.acme_ca": &c.TLS.ACMECA} {
		if *at != "" {
			*at = absolute(l.last[key].dir, *at)
		}
	}
	if c.SiteName == "" {
		c.SiteName = c.Domain
		c.values["site_name"] = []string{c.Domain}
	}
	if l.last["web.plain"].source.Layer == LayerDefault && len(c.Web.TLSListen) == 0 {
		c.Web.Plain = "serve"
		c.values["web.plain"] = []string{"serve"}
	}
}
