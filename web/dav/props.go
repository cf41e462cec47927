package dav

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/webdav"

	"trivium/files"
)

// propfind tells properties of an entry, and with Depth 1 of what is in the folder (RFC 4918 section
// 9.1). Whole trees are not listed at once (propfind-finite-depth).
func (q *request) propfind() error {
	switch d := q.r.Header.Get("Depth"); {
	case d == "" || strings.EqualFold(d, "infinity"):
		return errFinite
	case d != "0" && d != "1":
		return errDepth
	}
	body, err := q.body()
	if err != nil {
		return err
	}
	wanted := asked{all: true}
	if body != nil {
		if wanted, err = readPropfind(body); err != nil {
			return err
		}
	}
	if _, err := q.stat(q.path); err != nil {
		return err
	}
	return q.hand(body, wanted)
}

// proppatch sets and removes properties (RFC 4918 section 9.2).
func (q *request) proppatch() error {
	body, err := q.body()
	if err != nil {
		return err
	}
	if _, err := parse(body); err != nil || body == nil {
		return errBody
	}
	if _, err := q.stat(q.path); err != nil {
		return err
	}
	if err := q.tree.Unlocked(q.ctx, q.path, false); err != nil {
		return err
	}
	return q.hand(body, asked{})
}

// hand gives the request to x/net/webdav, with what it may believe: conditions and locks have been
// looked at, and the tree looks at the locks again.
func (q *request) hand(body []byte, wanted asked) error {
	r := q.r.Clone(q.ctx)
	r.Header.Del("If")
	r.URL = &url.URL{Path: q.h.o.Below + Prefix + q.path}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	v := &propsView{q: q, wanted: wanted}
	h := webdav.Handler{Prefix: q.h.o.Below + Prefix, FileSystem: v, LockSystem: noLocks{}}
	h.Logger = func(_ *http.Request, err error) {
		if err != nil {
			q.h.log.DebugContext(q.ctx, "webdav: properties", "method", q.r.Method, "path", q.path, "session", q.ses, "err", err)
		}
	}
	q.patient()
	h.ServeHTTP(q.w, r)
	if v.shelf != nil {
		v.shelf.Close()
	}
	return nil
}

// asked is what a PROPFIND wants to know.
type asked struct {
	all   bool // every property, or the names of all
	names []xml.Name
}

// readPropfind looks what a propfind element asks for; x/net/webdav reads it once more.
func readPropfind(body []byte) (asked, error) {
	root, err := parse(body)
	if err != nil {
		return asked{}, err
	}
	if root.name != (xml.Name{Space: davSpace, Local: "propfind"}) {
		return asked{}, errBody
	}
	prop := root.child("prop")
	if prop == nil {
		return asked{all: true}, nil
	}
	var a asked
	for _, k := range prop.kids {
		a.names = append(a.names, k.name)
	}
	return a, nil
}

// noLocks is the lock system of a request whose locks are looked at elsewhere.
type noLocks struct{}

func (noLocks) Confirm(time.Time, string, string, ...webdav.Condition) (func(), error) {
	return func() {}, nil
}
func (noLocks) Create(time.Time, webdav.LockDetails) (string, error) { return "none", nil }
func (noLocks) Refresh(time.Time, string, time.Duration) (webdav.LockDetails, error) {
	return webdav.LockDetails{}, webdav.ErrNoSuchLock
}
func (noLocks) Unlock(time.Time, string) error { return nil }

// keepMost is how many entries of a folder are kept while it is listed. Those of larger folders are
// looked up one by one, so that no folder costs more memory than its names.
const keepMost = 10_000

// propsView is the tree as x/net/webdav sees it, for the length of one request: entries that can be
// looked at, and their properties.
type propsView struct {
	q      *request
	wanted asked
	kept   map[string]files.Info
	shelf  *files.Shelf // of the folder that is listed; nil: none
	quota  *files.Quota // of the entry, once asked for
}

var _ webdav.FileSystem = (*propsView)(nil)

func (v *propsView) info(name string) (files.Info, error) {
	p, err := files.Clean("/", name)
	if err != nil {
		return files.Info{}, err
	}
	if i, ok := v.kept[p]; ok {
		return i, nil
	}
	return v.q.stat(p)
}

// Stat implements webdav.FileSystem.
func (v *propsView) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	i, err := v.info(name)
	if err != nil {
		return nil, err
	}
	return entryInfo{i}, nil
}

// OpenFile opens nothing: x/net/webdav asks what is opened for its properties alone.
func (v *propsView) OpenFile(_ context.Context, name string, _ int, _ fs.FileMode) (webdav.File, error) {
	i, err := v.info(name)
	if err != nil {
		return nil, err
	}
	return &entry{v: v, info: i}, nil
}

// Mkdir, RemoveAll and Rename are never asked for.
func (v *propsView) Mkdir(context.Context, string, fs.FileMode) error { return files.ErrUnsupported }
func (v *propsView) RemoveAll(context.Context, string) error          { return files.ErrUnsupported }
func (v *propsView) Rename(_ context.Context, _, _ string) error      { return files.ErrUnsupported }

// entry is one file or folder.
type entry struct {
	v    *propsView
	info files.Info
}

var (
	_ webdav.File            = (*entry)(nil)
	_ webdav.DeadPropsHolder = (*entry)(nil)
)

func (e *entry) Stat() (fs.FileInfo, error)     { return entryInfo{e.info}, nil }
func (e *entry) Close() error                   { return nil }
func (e *entry) Read([]byte) (int, error)       { return 0, io.EOF }
func (e *entry) Write([]byte) (int, error)      { return 0, files.ErrUnsupported }
func (e *entry) Seek(int64, int) (int64, error) { return 0, files.ErrUnsupported }

// Readdir lists the folder. A link is shown as what it leads to, or not at all.
func (e *entry) Readdir(int) ([]fs.FileInfo, error) {
	var out []fs.FileInfo
	e.v.kept = map[string]files.Info{}
	if e.v.shelf == nil {
		if shelf, err := e.v.q.tree.Shelf(e.v.q.ctx, e.info.Path); err == nil {
			e.v.shelf = shelf // without it each is looked up by its path
		}
	}
	err := e.v.q.tree.ReadDir(e.v.q.ctx, e.info.Path, func(i files.Info) error {
		if !e.v.q.sees(i.Path) {
			return nil
		}
		if len(e.v.kept) < keepMost && !i.Link {
			e.v.kept[i.Path] = i
		}
		out = append(out, named(i.Name))
		return nil
	})
	return out, err
}

// named is an entry of which the name alone is kept.
type named string

func (n named) Name() string       { return string(n) }
func (n named) Size() int64        { return 0 }
func (n named) Mode() fs.FileMode  { return 0 }
func (n named) ModTime() time.Time { return time.Time{} }
func (n named) IsDir() bool        { return false }
func (n named) Sys() any           { return nil }

// entryInfo is files.Info as fs.FileInfo.
type entryInfo struct{ i files.Info }

var (
	_ webdav.ETager       = entryInfo{}
	_ webdav.ContentTyper = entryInfo{}
)

func (i entryInfo) Name() string                                { return i.i.Name }
func (i entryInfo) Size() int64                                 { return i.i.Size }
func (i entryInfo) Mode() fs.FileMode                           { return i.i.Mode }
func (i entryInfo) ModTime() time.Time                          { return i.i.ModTime }
func (i entryInfo) IsDir() bool                                 { return i.i.Dir }
func (i entryInfo) Sys() any                                    { return nil }
func (i entryInfo) ETag(context.Context) (string, error)        { return etag(i.i), nil }
func (i entryInfo) ContentType(context.Context) (string, error) { return contentType(i.i.Name), nil }

// The live properties that x/net/webdav does not know, or not well enough.
var (
	propLocks     = xml.Name{Space: davSpace, Local: "lockdiscovery"}
	propLockKinds = xml.Name{Space: davSpace, Local: "supportedlock"}
	propCreated   = xml.Name{Space: davSpace, Local: "creationdate"}
	propFree      = xml.Name{Space: davSpace, Local: "quota-available-bytes"}
	propUsed      = xml.Name{Space: davSpace, Local: "quota-used-bytes"}
	propWinTime   = xml.Name{Space: windows, Local: "Win32LastModifiedTime"}
)

// windows is the namespace of what the client of Windows sets on everything it stores.
const windows = "urn:schemas-microsoft-com:"

// netKnows are the names that x/net/webdav answers itself.
func netKnows(n xml.Name) bool {
	return n.Space == davSpace && slices.Contains([]string{"resourcetype", "displayname", "getcontentlength", "getlastmodified",
		"getcontentlanguage", "getcontenttype", "getetag"}, n.Local)
}

func live(n xml.Name) bool {
	return slices.Contains([]xml.Name{propLocks, propLockKinds, propCreated, propFree, propUsed, propWinTime}, n)
}

// DeadProps are the properties that clients have set, and the live ones that x/net/webdav lacks. The
// store is asked only where the request wants to know.
func (e *entry) DeadProps() (map[xml.Name]webdav.Property, error) {
	wanted := e.v.wanted
	props := deadProps{}
	if wanted.all || slices.ContainsFunc(wanted.names, func(n xml.Name) bool { return !live(n) && !netKnows(n) }) {
		stored, err := e.stored()
		if err != nil {
			return nil, err
		}
		props = stored
	}
	for n := range props {
		if live(n) || netKnows(n) {
			delete(props, n)
		}
	}
	names := wanted.names
	if wanted.all { // quota is told to those who ask for it by name (RFC 4331 section 3)
		names = []xml.Name{propLocks, propCreated}
	}
	for _, n := range names {
		if text, ok := e.live(n); ok {
			props[n] = webdav.Property{XMLName: n, InnerXML: []byte(text)}
		}
	}
	return props, nil
}

// stored are the properties that clients have set.
func (e *entry) stored() (deadProps, error) {
	data, err := e.bytes()
	if err != nil {
		return nil, err
	}
	p, err := decodeProps(data)
	if err != nil { // not worth hiding the entry
		e.v.q.h.log.WarnContext(e.v.q.ctx, "webdav: properties were dropped", "path", e.info.Path, "session", e.v.q.ses, "err", err)
		return deadProps{}, nil
	}
	return p, nil
}

func (e *entry) bytes() ([]byte, error) {
	if e.v.shelf != nil {
		if data, ok, err := e.v.shelf.Props(e.v.q.ctx, e.info); ok || err != nil {
			return data, err
		}
	}
	return e.v.q.tree.Props(e.v.q.ctx, e.info.Path)
}

// live is the value of a live property, where the entry has it.
func (e *entry) live(n xml.Name) (string, bool) {
	const within = ` xmlns:D="DAV:"`
	switch n {
	case propLocks:
		var b strings.Builder
		for _, l := range e.v.q.tree.LocksOf(e.info) {
			b.WriteString(strings.Replace(e.v.q.lockXML(l), "<D:activelock>", "<D:activelock"+within+">", 1))
		}
		return b.String(), true
	case propLockKinds:
		var b strings.Builder
		for _, scope := range []string{"exclusive", "shared"} {
			b.WriteString("<D:lockentry" + within + "><D:lockscope><D:" + scope + "/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>")
		}
		return b.String(), true
	case propCreated:
		return e.info.Created.UTC().Format(time.RFC3339), !e.info.Created.IsZero()
	case propWinTime:
		return e.info.ModTime.UTC().Format(http.TimeFormat), !e.info.Dir
	case propFree, propUsed:
		return e.space(n)
	}
	return "", false
}

// space are the two quota properties (RFC 4331 sections 3 and 4), of folders. What is free is left
// out where nobody knows it.
func (e *entry) space(n xml.Name) (string, bool) {
	if !e.info.Dir {
		return "", false
	}
	if e.v.quota == nil || e.info.Path != e.v.q.path {
		quota, err := e.v.q.tree.Quota(e.v.q.ctx, e.info.Path)
		if err != nil {
			return "", false
		}
		e.v.quota = &quota
	}
	if n == propUsed {
		return strconv.FormatInt(max(e.v.quota.Bytes, 0), 10), true
	}
	return strconv.FormatInt(e.v.quota.Free, 10), e.v.quota.Free >= 0
}

// Patch sets and removes properties, all or none (RFC 4918 section 9.2).
func (e *entry) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	props, err := e.stored()
	if err != nil {
		return nil, err
	}
	var names, guarded []xml.Name
	var date time.Time
	windowsOnly := true
	for _, p := range patches {
		for _, set := range p.Props {
			n := set.XMLName
			names = append(names, n)
			windowsOnly = windowsOnly && n.Space == windows
			switch {
			case n == propWinTime:
				if t, err := http.ParseTime(strings.TrimSpace(string(set.InnerXML))); err == nil && !p.Remove {
					date = t
				}
			case live(n) || netKnows(n):
				guarded = append(guarded, n)
			case p.Remove:
				delete(props, n)
			default:
				props[n] = set
			}
		}
	}
	if len(guarded) > 0 {
		return refused(names, guarded, http.StatusForbidden, `<D:cannot-modify-protected-property xmlns:D="DAV:"/>`), nil
	}
	if len(props) > maxProps {
		return refused(names, names, http.StatusInsufficientStorage, ""), nil
	}
	err = e.v.q.tree.SetProps(e.v.q.ctx, e.info.Path, props.encode())
	if errors.Is(err, files.ErrUnsupported) && windowsOnly {
		err = nil // the client of Windows takes a refusal for a failed copy
	}
	if err == nil && !date.IsZero() {
		err = e.v.q.tree.Chtimes(e.v.q.ctx, e.info.Path, date)
	}
	if err != nil {
		f, known := answer(err)
		if !known {
			return nil, err
		}
		return refused(names, names, f.status, ""), nil
	}
	return []webdav.Propstat{{Status: http.StatusOK, Props: bare(names)}}, nil
}

// refused answers for the names that cannot be changed, and for the rest, which is not either.
func refused(all, bad []xml.Name, status int, condition string) []webdav.Propstat {
	out := []webdav.Propstat{{Status: status, XMLError: condition}}
	var rest []xml.Name
	for _, n := range all {
		if slices.Contains(bad, n) {
			out[0].Props = append(out[0].Props, webdav.Property{XMLName: n})
		} else {
			rest = append(rest, n)
		}
	}
	if len(rest) > 0 {
		out = append(out, webdav.Propstat{Status: http.StatusFailedDependency, Props: bare(rest)})
	}
	return out
}

// bare are properties without values.
func bare(names []xml.Name) (out []webdav.Property) {
	for _, n := range names {
		out = append(out, webdav.Property{XMLName: n})
	}
	return out
}
