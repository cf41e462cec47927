package web

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/httpio"
)

const (
	maxField  = 4 << 10   // bytes of a field beside the files
	maxParts  = 1000      // files and fields of one form
	drainMost = 256 << 20 // bytes read and thrown away so that the answer still arrives
)

// intake is where the files of a form go.
type intake struct {
	dir    string
	before func() error // asked before each file; nil: nobody
	share  *files.Share // the drop box; nil: none
}

// upload streams the files of a multipart form (RFC 7578) into the folder, one after another, none
// into memory. The token must come before the first file. A file appears when all of it came; of
// one that was cut nothing does.
func (s *Server) upload(v *visit, tree *files.Tree, here string, in intake) error {
	mr, err := v.Request().MultipartReader()
	if err != nil {
		return errMalformed
	}
	v.long()
	body := &httpio.Body{Conn: http.NewResponseController(v.Response().Writer), Pause: s.opt.Limits.HTTPBodyTimeout,
		Session: v.browser.Session, Ended: identity.ErrEnded, Explain: bodyError}
	var (
		trusted, replace bool
		stored           []string
		failed           []string
		status           error
	)
	for range maxParts {
		body.Renew()
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			return s.uploaded(v, here, stored, failed, status)
		}
		if err != nil {
			return bodyError(err)
		}
		body.Reader = part
		if part.FileName() == "" {
			value, err := readField(body)
			if err != nil {
				return err
			}
			switch part.FormName() {
			case tokenField:
				if err := v.checkToken(value); err != nil {
					return err
				}
				trusted = true
			case "replace":
				replace = value == "1"
			}
			continue
		}
		if !trusted {
			return errToken
		}
		name := part.FileName()
		if in.share != nil && part.FormName() == "folder" {
			name = relativeName(part)
		}
		err = s.store(v, tree, in, name, replace, body)
		switch {
		case err == nil:
			stored = append(stored, name)
			continue
		case body.Broken != nil: // the body ended, not the storage: nothing more will come
			return body.Broken
		}
		failed, status = append(failed, quoted(name)+": "+answerTo(err).words(v.words, err)), err
		if n, _ := io.CopyN(io.Discard, body, drainMost); n == drainMost {
			return err
		}
	}
	return errTooLarge
}

// store writes one file.
func (s *Server) store(v *visit, tree *files.Tree, in intake, name string, replace bool, body *httpio.Body) error {
	target, u, err := s.openUpload(v, tree, in, name, replace)
	if err != nil {
		return err
	}
	r := v.run("PUT", identity.DirectionIn, target, -1, 0, u.Still, httpio.CutReads)
	body.Session = r
	_, err = u.ReadFrom(body)
	if why := r.end(); why != nil {
		body.Broken = why // and nothing more of the form is read
	}
	body.Session = v.browser.Session
	if err != nil && body.Broken == nil {
		return errors.Join(err, u.Discard())
	}
	if body.Broken != nil {
		return errors.Join(body.Broken, u.Discard())
	}
	_, err = u.Commit(v.ctx())
	return err
}

// openUpload begins the upload of one file, and returns its path.
func (s *Server) openUpload(v *visit, tree *files.Tree, in intake, name string, replace bool) (target string, u *files.Upload, err error) {
	if in.share != nil {
		segs, err := dropSegments(name)
		if err == nil {
			err = in.before()
		}
		if err != nil {
			return "", nil, err
		}
		u, err := s.openDrop(v, *in.share, tree, segs, func(_ dropName, p string) files.UploadOptions {
			target = p
			return files.UploadOptions{Size: -1, Exclusive: true}
		})
		if err != nil {
			return "", nil, dropFault(err)
		}
		return target, u, nil
	}
	if target, err = member(in.dir, name); err != nil {
		return "", nil, err
	}
	u, err = tree.Create(v.ctx(), target, files.UploadOptions{Size: -1, Exclusive: !replace})
	return target, u, err
}

// relativeName is the name of a file with the folders that it lies in, as browsers send it of a chosen folder; FileName
// leaves them out (RFC 7578 section 4.2 wants that of who does not ask for folders).
func relativeName(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return part.FileName()
	}
	return params["filename"]
}

func (s *Server) uploaded(v *visit, here string, stored, failed []string, status error) error {
	if len(failed) > 0 {
		if a := answerTo(status); a.fallback {
			s.log.Error("storing an upload", "request", requestID(v.Request()), "err", status)
		}
		text := v.T("upload.not_saved", len(failed)) + " " + strings.Join(v.clipList(failed, 20), " ")
		if len(stored) > 0 {
			text = v.T("upload.files_were_uploaded", len(stored)) + " " + text
		}
		v.flash(flash{Kind: flashError, Text: text + " " + v.T("errors.request", requestID(v.Request()))})
		return v.see(here)
	}
	switch len(stored) {
	case 0:
		v.flash(flash{Kind: flashError, Text: "upload.nothing_was_uploaded_no_file_was"})
		return v.see(here)
	case 1:
		return v.done(here, "upload.was_uploaded", quoted(stored[0]))
	}
	return v.done(here, "upload.files_were_uploaded", len(stored))
}

func (v *visit) clipList(list []string, most int) []string {
	if len(list) <= most {
		return list
	}
	return append(list[:most:most], v.T("common.and_more", len(list)-most))
}

func readField(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxField+1))
	if err != nil {
		return "", bodyError(err)
	}
	if len(b) > maxField {
		return "", errTooLarge
	}
	return string(b), nil
}
