package importer

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// maxAccount bounds the file of one account in bytes.
const maxAccount = 1 << 20

// ReadProsody reads the accounts of a data directory of Prosody (internal storage), of all its hosts.
// Names of files there are percent-encoded.
func ReadProsody(data fs.FS, each func(Record) error) error {
	each = newOnce(each)
	found := false
	err := prosodyHosts(data, func(host, dir string) error {
		return prosodyFiles(data, path.Join(dir, "accounts"), ".dat", func(login, name string) error {
			found = true
			return each(prosodyAccount(data, login, host, name))
		})
	})
	if err == nil && !found {
		return fmt.Errorf("%w: no folder of a host has accounts", errFormat)
	}
	return err
}

// prosodyHosts calls fn with each folder of a host.
func prosodyHosts(data fs.FS, fn func(host, dir string) error) error {
	list, err := fs.ReadDir(data, ".")
	if err != nil {
		return err
	}
	for _, d := range list {
		if !d.IsDir() {
			continue
		}
		host, err := url.PathUnescape(d.Name())
		if err != nil {
			continue
		}
		if err := fn(host, d.Name()); err != nil {
			return err
		}
	}
	return nil
}

// prosodyFiles calls fn with each account that has a file in a store.
func prosodyFiles(data fs.FS, dir, ext string, fn func(login, name string) error) error {
	list, err := fs.ReadDir(data, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range list {
		enc, ok := strings.CutSuffix(d.Name(), ext)
		if !ok || !d.Type().IsRegular() {
			continue
		}
		login, err := url.PathUnescape(enc)
		if err != nil {
			login = enc
		}
		if err := fn(login, path.Join(dir, d.Name())); err != nil {
			return err
		}
	}
	return nil
}

// readBounded reads a whole file of at most limit bytes.
func readBounded(data fs.FS, name string, limit int64) (string, error) {
	f, err := data.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: the file is larger than %d bytes", name, limit)
	}
	return string(b), err
}

func prosodyAccount(data fs.FS, login, host, name string) Record {
	r := Record{Login: login + "@" + host}
	text, err := readBounded(data, name, maxAccount)
	if err != nil {
		r.Fault = err.Error()
		return r
	}
	v, err := readLua(text)
	t, ok := v.(*luaTable)
	if err != nil || !ok {
		r.Fault = errLua.Error()
		return r
	}
	if disabled, _ := t.keys["disabled"].(bool); disabled {
		r.Disabled = true
	}
	stored, err1 := hex.DecodeString(t.text("stored_key"))
	server, err2 := hex.DecodeString(t.text("server_key"))
	n, _ := t.keys["iteration_count"].(float64)
	switch {
	case t.text("password") != "":
		r.Password = t.text("password")
	case t.text("stored_key") == "":
	case err1 != nil || err2 != nil || n < 1 || n > 1<<31 || len(stored) != len(server):
		r.warn("its SCRAM keys are damaged")
	default:
		if h, ok := scramHash(r.scramName(len(stored)), int64(n), []byte(t.text("salt")), stored, server); ok {
			r.Hashes = []string{h}
		} else {
			r.warn("its SCRAM keys are of a hash that is not known")
		}
	}
	return r
}

// scramName is the mechanism that keys of so many bytes belong to.
func (Record) scramName(size int) string {
	switch size {
	case 20:
		return "SCRAM-SHA-1"
	case 32:
		return "SCRAM-SHA-256"
	}
	return ""
}

// scramHash writes keys in the form of RFC 5803; false for mechanisms that are not known here.
func scramHash(name string, iterations int64, salt, stored, server []byte) (string, bool) {
	if name != "SCRAM-SHA-1" && name != "SCRAM-SHA-256" {
		return "", false
	}
	b := base64.StdEncoding.EncodeToString
	return name + "$" + strconv.FormatInt(iterations, 10) + ":" + b(salt) + "$" + b(stored) + ":" + b(server), true
}
