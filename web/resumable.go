package web

import (
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/httpio"
)

// Uploads that can be broken off and gone on with: tus 1.0.0 with the extensions creation,
// creation-with-upload and termination (https://tus.io/protocols/resumable-upload).
//
// The address of an upload is that of the file it will become, with a tag of its own and the length
// in the query, so nothing about it is kept here: it outlives a restart, and whoever logs in again goes
// on. What has come lies with the file layer, as one's unfinished part under that tag.
const (
	tusVersion  = "1.0.0"
	tusHeader   = "Tus-Resumable"
	tusType     = "application/offset+octet-stream"
	tokenHeader = "X-CSRF-Token" // a script's place for the form's token
	maxKeep     = 1000           // names that are tried for a file that shall stand beside another
)

var (
	errTusVersion = errors.New("another version of tus")
	errTusOffset  = errors.New("the upload goes on elsewhere")
	errTusLength  = errors.New("more came than was announced")
	errTusAddress = errors.New("no address of an upload")
	errLoggedOut  = errors.New("not logged in")
)

// byScript says that a script asks, which wants words and a status, not a page or a way to the log-in.
func (v *visit) byScript() bool { return v.Request().Header.Get(tusHeader) != "" }

// checkScript is checkForm for what a script sends: the token stands in a header.
func (s *Server) checkScript(v *visit) error {
	if err := s.origins.Check(v.Request()); err != nil {
		return errForeign
	}
	return v.checkToken(v.Request().Header.Get(tokenHeader))
}

// resumable is what the address of an upload says.
type resumable struct {
	path    string
	tag     string
	size    int64 // of the whole file
	replace bool
	share   *files.Share // the drop box; nil: none
	asked   []string     // of a drop box: folders and name as the visitor gave them
}

// resumable reads the address of an upload, and what version of tus is spoken.
func (v *visit) resumable() (r resumable, err error) {
	p, err := v.place()
	if err != nil {
		return r, errAbsent
	}
	return v.resumableAt(p)
}

// resumableAt is resumable for a path that has been found already.
func (v *visit) resumableAt(p string) (r resumable, err error) {
	q := v.Request().URL.Query()
	r.path, r.tag, r.replace = p, q.Get("upload"), q.Get("replace") == "1"
	r.size, err = strconv.ParseInt(q.Get("size"), 10, 64)
	if err != nil || r.size < 0 || r.path == "/" || len(r.tag) < 8 || len(r.tag) > 64 {
		return r, errTusAddress
	}
	return r, v.tus()
}

func (r resumable) address() string {
	q := url.Values{"upload": {r.tag}, "size": {strconv.FormatInt(r.size, 10)}}
	if r.replace {
		q.Set("replace", "1")
	}
	if r.share != nil {
		return dropAddress(r) + "?" + q.Encode()
	}
	return filesHref(r.path) + "?" + q.Encode()
}

// name is what the upload is called to who sends it.
func (r resumable) name() string {
	if r.share != nil {
		return r.asked[len(r.asked)-1]
	}
	return path.Base(r.path)
}

func (r resumable) options(offset, size int64) files.UploadOptions {
	return files.UploadOptions{Offset: offset, Size: size, Exclusive: !r.replace, Tag: r.tag}
}

// tus answers the headers that every answer has, and refuses other versions.
func (v *visit) tus() error {
	h := v.Response().Header()
	h.Set(tusHeader, tusVersion)
	if v.Request().Header.Get(tusHeader) != tusVersion {
		h.Set("Tus-Version", tusVersion)
		return errTusVersion
	}
	return nil
}

// optionsFiles says what uploads can do. It also gives a script that outlived a log-in the token of
// the new session; other sites cannot read it.
func (s *Server) optionsFiles(v *visit) error {
	h := v.Response().Header()
	h.Set(tusHeader, tusVersion)
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", "creation,creation-with-upload,termination")
	h.Set(tokenHeader, maskedToken(v.browser.CSRFToken()))
	return v.NoContent(http.StatusNoContent)
}

// createUpload begins an upload into the folder that the address names. Its metadata are filename,
// which may lead into folders below that are made, and taken: what to do where something of that name
// stands, replace or keep (both); refused otherwise.
func (s *Server) createUpload(v *visit, tree *files.Tree, dir string) error {
	size, meta, err := v.announced()
	if err != nil {
		return err
	}
	r := resumable{tag: newTag(), size: size, replace: meta["taken"] == "replace"}
	if r.path, err = s.uploadPath(v, tree, dir, meta["filename"]); err != nil {
		return err
	}
	u, err := tree.Create(v.ctx(), r.path, r.options(0, size))
	for n := 2; errors.Is(err, fs.ErrExist) && meta["taken"] == "keep" && n < maxKeep; n++ {
		if r.path, err = files.Clean("/", numbered(r.path, n)); err != nil {
			return err
		}
		u, err = tree.Create(v.ctx(), r.path, r.options(0, size))
	}
	if err != nil {
		return err
	}
	return s.started(v, r, u)
}

// announced reads what a script says of the upload that it begins: its length, and its metadata.
func (v *visit) announced() (size int64, meta map[string]string, err error) {
	if err := v.tus(); err != nil {
		return 0, nil, err
	}
	h := v.Request().Header
	size, err = strconv.ParseInt(h.Get("Upload-Length"), 10, 64)
	if err != nil || size < 0 {
		return 0, nil, errMalformed
	}
	meta, err = tusMetadata(h.Get("Upload-Metadata"))
	return size, meta, err
}

// started answers where an upload goes on, and takes the bytes that came with its creation.
func (s *Server) started(v *visit, r resumable, u *files.Upload) (err error) {
	if len(r.address()) > maxURL {
		return errors.Join(files.ErrName, u.Discard())
	}
	h := v.Response().Header()
	h.Set("Location", r.address())
	at := int64(0)
	if r.size == 0 || v.Request().Header.Get("Content-Type") == tusType {
		if at, err = s.receive(v, r, u, 0); err != nil {
			return err
		}
	} else if err := u.Suspend(); err != nil {
		return err
	}
	h.Set("Upload-Offset", strconv.FormatInt(at, 10))
	return v.NoContent(http.StatusCreated)
}

// uploadPath is the path of an upload's file; folders on the way are made.
func (s *Server) uploadPath(v *visit, tree *files.Tree, dir, name string) (string, error) {
	p := dir
	var folders []string
	for seg := range strings.SplitSeq(name, "/") { // all are looked at before one is made
		next, err := member(p, seg)
		if err != nil {
			return "", err
		}
		folders, p = append(folders, next), next
	}
	for _, f := range folders[:len(folders)-1] {
		if err := tree.Mkdir(v.ctx(), f); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return p, nil
}

// numbered is the name that a second file of the same name gets.
func numbered(p string, n int) string {
	base := path.Base(p)
	ext := path.Ext(base)
	if ext == base { // a name that begins with its only dot
		ext = ""
	}
	return path.Join(path.Dir(p), strings.TrimSuffix(base, ext)+" ("+strconv.Itoa(n)+")"+ext)
}

// tusMetadata reads Upload-Metadata: keys and values in base64, with commas between.
func tusMetadata(header string) (map[string]string, error) {
	m := map[string]string{}
	if len(header) > maxURL {
		return nil, errMalformed
	}
	for pair := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), " ")
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
		if err != nil {
			return nil, errMalformed
		}
		m[key] = string(b)
	}
	return m, nil
}

// headUpload says how much has come. What has come whole, and had no time to take its name, takes it
// now: nobody is told that a file is there which is not.
func (s *Server) headUpload(v *visit, r resumable, tree *files.Tree) (err error) {
	at := r.size
	if !s.uploads.finished(v.creds.UserID, r.tag) {
		leave, err := s.uploads.enter(v, r.tag)
		if err != nil {
			return err
		}
		defer leave()
		if at, err = tree.TaggedPart(v.ctx(), r.path, r.tag); err != nil {
			return err
		}
		if at >= r.size && r.size > 0 {
			u, err := tree.Create(v.ctx(), r.path, r.options(at, 0))
			if err != nil {
				return err
			}
			if at, err = s.finish(v, r, u, at); err != nil {
				return err
			}
		}
	}
	h := v.Response().Header()
	h.Set("Upload-Offset", strconv.FormatInt(at, 10))
	h.Set("Upload-Length", strconv.FormatInt(r.size, 10))
	h.Set("Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(r.name())))
	return v.NoContent(http.StatusOK)
}

// patchUpload takes the next bytes.
func (s *Server) patchUpload(v *visit) error {
	r, err := v.resumable()
	if err != nil {
		return err
	}
	return s.goOn(v, r, s.opt.Files.View(v.browser.Session))
}

// goOn receives the next bytes of an upload into the tree of who owns it.
func (s *Server) goOn(v *visit, r resumable, tree *files.Tree) error {
	req := v.Request()
	if req.Header.Get("Content-Type") != tusType {
		return errMediaType
	}
	at, err := strconv.ParseInt(req.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || at < 0 {
		return errMalformed
	}
	if req.ContentLength > r.size-at {
		return errTusLength
	}
	leave, err := s.uploads.enter(v, r.tag)
	if err != nil {
		return err
	}
	defer leave()
	if have, err := tree.TaggedPart(v.ctx(), r.path, r.tag); err != nil {
		return err
	} else if have != at {
		return errTusOffset
	}
	u, err := tree.Create(v.ctx(), r.path, r.options(at, r.size-at))
	if err != nil {
		return err
	}
	if at, err = s.receive(v, r, u, at); err != nil {
		return err
	}
	v.Response().Header().Set("Upload-Offset", strconv.FormatInt(at, 10))
	return v.NoContent(http.StatusNoContent)
}

// receive stores the body behind what is there, and keeps what came of it, whatever cuts it. It
// returns how much there is then.
func (s *Server) receive(v *visit, r resumable, u *files.Upload, at int64) (int64, error) {
	v.long()
	body := &httpio.Body{Reader: &io.LimitedReader{R: v.Request().Body, N: r.size - at}, Conn: http.NewResponseController(v.Response().Writer),
		Pause: s.opt.Limits.HTTPBodyTimeout, Session: v.browser.Session, Ended: identity.ErrEnded, Explain: bodyError}
	run := v.run("PUT", identity.DirectionIn, r.path, r.size, at, u.Still, httpio.CutReads)
	body.Session = run
	n, err := u.ReadFrom(body)
	at += n
	if why := run.end(); why != nil {
		body.Broken = why
	}
	if body.Broken != nil {
		err = body.Broken
	}
	if err == nil && at == r.size {
		return s.finish(v, r, u, at)
	}
	return at, errors.Join(err, u.Suspend())
}

// finish gives the upload its name, and remembers that for a client that does not hear the answer.
func (s *Server) finish(v *visit, r resumable, u *files.Upload, at int64) (int64, error) {
	if err := s.countDrop(v, r); err != nil {
		return 0, errors.Join(err, u.Discard())
	}
	if _, err := u.Commit(v.ctx()); err != nil {
		return 0, errors.Join(err, u.Suspend())
	}
	s.uploads.finish(v.creds.UserID, r.tag)
	return at, nil
}

// deleteUpload forgets an upload.
func (s *Server) deleteUpload(v *visit) error {
	r, err := v.resumable()
	if err != nil {
		return err
	}
	return s.forget(v, r, s.opt.Files.View(v.browser.Session))
}

// forget removes what has come of an upload.
func (s *Server) forget(v *visit, r resumable, tree *files.Tree) error {
	leave, err := s.uploads.enter(v, r.tag)
	if err != nil {
		return err
	}
	defer leave()
	if err := tree.DropTagged(v.ctx(), r.path, r.tag); err != nil {
		return err
	}
	return v.NoContent(http.StatusNoContent)
}

// standing is what a script asks before it sends files: which of these names are taken.
type standing struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
	Dir  bool   `json:"dir"`
}

// listStanding answers which of the names below dir stand there.
func (s *Server) listStanding(v *visit, tree *files.Tree, dir string) error {
	list := []standing{}
	for _, name := range v.Request().PostForm["name"] {
		p, err := files.Clean(dir, name)
		if err != nil {
			continue // the upload itself says why
		}
		if i, err := tree.Lstat(v.ctx(), p); err == nil && !i.Part {
			list = append(list, standing{Name: name, Size: i.Size, Dir: i.Dir})
		}
	}
	return v.JSON(http.StatusOK, list)
}
