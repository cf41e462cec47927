package web

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"trivium/identity"
	"trivium/identity/importer"
	"trivium/internal/httpio"
)

// Bounds of an import by page; the command line takes what is larger.
const (
	importFile     = 8 << 20 // bytes of one file
	importAccounts = 10_000
	importShown    = 500 // lines of the report that the page has
	importLife     = 15 * time.Minute
	importWaiting  = 4 // that wait for their second step, of all sessions
	importZipFiles = 50_000
)

// errImport is what is wrong with the files of an import, in words.
var errImport = errors.New("the import cannot be read")

// importFault is an errImport that says why, by a text of the catalogue.
type importFault struct {
	key  string
	args []any
}

func (f *importFault) Error() string { return f.key }
func (f *importFault) Unwrap() error { return errImport }

// importWords says what is wrong with the files.
func (v *visit) importWords(err error) string {
	var fault *importFault
	if errors.As(err, &fault) {
		return v.T(fault.key, fault.args...)
	}
	return v.spoken(err)
}

type importView struct {
	page
	Format, Conflict, UIDs, MinUID, Level, Domain field
	NoGroups                                      bool
	Report                                        *importReport
}

// importReport is what would be, or was, done.
type importReport struct {
	Name, Format string
	Apply        string // where it is applied; "" where it was
	Sum          string
	Rows         []importRow
	Hidden       int
	Plain        int // log in with their old password where that comes in the clear first
	Stopped      string
}

// importRow is the report of one account.
type importRow struct {
	identity.Imported
	Line     int
	Password string
	Warnings []string
	Tone     string
}

// pendingImport is an import that was looked at and waits to be applied.
type pendingImport struct {
	id, session, name string
	format            importer.Format
	records           []importer.Record
	options           identity.ImportOptions
	at                time.Time
}

// imports keeps them in memory: they hold hashes, which neither a page nor a file is to have.
type imports struct {
	now func() time.Time

	mu   sync.Mutex // guards list
	list []*pendingImport
}

func (w *imports) put(p *pendingImport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.id, p.at = strings.ToLower(rand.Text()), w.now()
	w.list = slices.DeleteFunc(w.list, func(o *pendingImport) bool { return o.session == p.session || p.at.Sub(o.at) > importLife })
	if len(w.list) >= importWaiting {
		w.list = w.list[1:]
	}
	w.list = append(w.list, p)
}

// take returns one and forgets it; nil where there is none of that session.
func (w *imports) take(session, id string) *pendingImport {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.list, func(o *pendingImport) bool {
		return o.session == session && o.id == id && w.now().Sub(o.at) <= importLife
	})
	if i < 0 {
		return nil
	}
	p := w.list[i]
	w.list = slices.Delete(w.list, i, i+1)
	return p
}

func (s *Server) newImportView(v *visit) *importView {
	levels := []option{{Value: "", Label: "admin_import.the_default_level"}}
	formats := []option{{Value: "", Label: "admin_import.what_the_file_looks_like"}}
	names := map[importer.Format]string{importer.Passwd: "admin_import.passwd_with_shadow_and_group", importer.ProFTPD: "admin_import.proftpd_authuserfile_and_authgroupfile", importer.PureFTPd: "admin_import.pure_ftpd_text_of_the_puredb",
		importer.SFTPGo: "admin_import.sftpgo_dump_json", importer.Prosody: "admin_import.prosody_data_directory_as_a_zip", importer.XEP0227: "admin_import.ejabberd_prosody_or_trivium_xep_0227", importer.CSV: "admin_import.csv_with_a_header"}
	for _, f := range importer.Formats() {
		label := names[f]
		if label == "" {
			label = string(f)
		}
		formats = append(formats, option{Value: string(f), Label: label})
	}
	return &importView{
		Format: field{ID: "format", Name: "format", Label: "admin_import.format", Options: formats},
		Conflict: field{ID: "conflict", Name: "conflict", Label: "admin_import.where_there_is_such_a_login", Options: []option{{Value: "skip", Label: "admin_import.skip_it"},
			{Value: "update", Label: "admin_import.update_it_its_password_stays"}, {Value: "fail", Label: "admin_import.do_nothing_at_all"}}},
		UIDs: field{ID: "uids", Name: "uids", Label: "admin_import.numbers_of_users", Options: []option{{Value: "keep", Label: "admin_import.keep_new_ones_where_they_are"},
			{Value: "must", Label: "admin_import.keep_one_that_is_taken_is"}, {Value: "new", Label: "admin_import.new_ones"}}},
		MinUID: field{ID: "min_uid", Name: "min_uid", Label: "admin_import.lowest_uid", Type: "number", Help: "admin_import.who_has_a_lower_one_is"},
		Level:  field{ID: "level", Name: "level", Label: "common.level", Options: append(levels, levelOptions(v.words, v.level)...), Help: "admin_import.of_accounts_that_say_none"},
		Domain: field{ID: "domain", Name: "domain", Label: "admin_import.domain", Type: "text", Autocomplete: "off", Help: v.T("admin_import.of_logins_without", s.opt.Domain)},
	}
}

func (s *Server) getImport(v *visit) error {
	return s.showImport(v, http.StatusOK, s.newImportView(v))
}

func (s *Server) showImport(v *visit, status int, view *importView) error {
	v.fill(&view.page, "admin.import", "admin_import.import")
	return s.write(v, status, "admin_import", view)
}

// importForm is what the upload has brought.
type importForm struct {
	fields map[string]string
	name   string
	files  map[string][]byte // main, shadow, groups
}

// readImport reads the form into memory, within bounds; the token comes before the first file.
func (s *Server) readImport(v *visit) (importForm, error) {
	in := importForm{fields: map[string]string{}, files: map[string][]byte{}}
	mr, err := v.Request().MultipartReader()
	if err != nil {
		return in, errMalformed
	}
	v.long()
	body := &httpio.Body{Conn: http.NewResponseController(v.Response().Writer), Pause: s.opt.Limits.HTTPBodyTimeout,
		Session: v.browser.Session, Ended: identity.ErrEnded, Explain: bodyError}
	trusted := false
	for range 20 {
		body.Renew()
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			if !trusted {
				return in, errToken
			}
			return in, nil
		}
		if err != nil {
			return in, bodyError(err)
		}
		body.Reader = part
		if err := in.take(v, part, body, &trusted); err != nil {
			return in, err
		}
	}
	return in, errTooLarge
}

func (in *importForm) take(v *visit, part *multipart.Part, body io.Reader, trusted *bool) error {
	if part.FileName() == "" && !slices.Contains([]string{"main", "shadow", "groups"}, part.FormName()) {
		value, err := readField(body)
		if err != nil {
			return err
		}
		if part.FormName() == tokenField {
			if err := v.checkToken(value); err != nil {
				return err
			}
			*trusted = true
		}
		in.fields[part.FormName()] = strings.TrimSpace(value)
		return nil
	}
	if !*trusted {
		return errToken
	}
	b, err := io.ReadAll(io.LimitReader(body, importFile+1))
	switch {
	case err != nil:
		return bodyError(err)
	case len(b) > importFile:
		return &importFault{"admin_import.the_file_is_larger", []any{part.FileName()}}
	}
	in.files[part.FormName()] = b
	if part.FormName() == "main" {
		in.name = part.FileName()
	}
	return nil
}

// records reads the accounts of the files.
func (in *importForm) records(format importer.Format) (list []importer.Record, err error) {
	each := func(r importer.Record) error {
		if len(list) >= importAccounts {
			return &importFault{"admin_import.the_file_has_more_accounts", []any{importAccounts}}
		}
		list = append(list, r)
		return nil
	}
	if format == importer.Prosody {
		z, err := zip.NewReader(bytes.NewReader(in.files["main"]), int64(len(in.files["main"])))
		if err != nil || len(z.File) > importZipFiles {
			return nil, &importFault{key: "admin_import.this_is_no_zip_of_prosody"}
		}
		return list, importer.ReadProsody(z, each)
	}
	input := importer.Input{Main: bytes.NewReader(in.files["main"])}
	if b := in.files["shadow"]; len(b) > 0 {
		input.Shadow = bytes.NewReader(b)
	}
	if b := in.files["groups"]; len(b) > 0 {
		input.Group = bytes.NewReader(b)
	}
	err = importer.Read(format, input, each)
	return list, err
}

// postImport looks at the files and says what would be done; nothing is changed.
func (s *Server) postImport(v *visit) error {
	in, err := s.readImport(v)
	view := s.newImportView(v)
	for _, f := range []*field{&view.Format, &view.Conflict, &view.UIDs, &view.Level} {
		*f = f.choose(in.fields[f.Name])
	}
	view.MinUID.Value, view.Domain.Value, view.NoGroups = in.fields["min_uid"], in.fields["domain"], in.fields["no_groups"] == "1"
	if errors.Is(err, errImport) {
		view.Problems = append(view.Problems, problem{Field: "accounts", Text: v.importWords(err)})
		return s.showImport(v, http.StatusRequestEntityTooLarge, view)
	}
	if err != nil {
		return err
	}
	p := &pendingImport{session: v.browser.ID(), name: in.name, format: importer.Format(in.fields["format"])}
	if len(in.files["main"]) == 0 {
		view.Problems = append(view.Problems, problem{Field: "accounts", Text: "admin_import.choose_the_file_with_the_accounts"})
	} else if p.format == "" {
		if p.format = importer.Guess(in.name, in.files["main"]); p.format == "" {
			view.trouble(&view.Format, "admin_import.what_the_file_holds_cannot_be")
		}
	}
	p.options = s.importOptions(view, p.format)
	if len(view.Problems) > 0 {
		return s.showImport(v, http.StatusUnprocessableEntity, view)
	}
	if p.records, err = in.records(p.format); err != nil {
		view.Problems = append(view.Problems, problem{Field: "accounts", Text: v.importWords(err)})
		return s.showImport(v, http.StatusUnprocessableEntity, view)
	}
	view.Report, err = s.runImport(v, p, true)
	if err != nil {
		a := answerTo(err)
		if a.fallback {
			return err
		}
		view.Problems = append(view.Problems, problem{Field: "conflict", Text: a.words(v.words, err)})
		return s.showImport(v, a.status, view)
	}
	s.imports.put(p)
	view.Report.Apply = pathOf("admin", "import", p.id, "apply")
	return s.showImport(v, http.StatusOK, view)
}

// importOptions reads the choices of the form.
func (s *Server) importOptions(view *importView, format importer.Format) identity.ImportOptions {
	o := identity.ImportOptions{Conflict: identity.Conflict(view.Conflict.Value), UIDs: identity.UIDChoice(view.UIDs.Value), MakeGroups: !view.NoGroups}
	if format == importer.Passwd {
		o.MinUID = 1000 // the first uid of people on most systems (login.defs(5))
	}
	if text := view.MinUID.Value; text != "" {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			view.trouble(&view.MinUID, "admin_import.write_a_number_such_as_1000")
		}
		o.MinUID = uint32(n)
	}
	if text := view.Level.Value; text != "" {
		l, err := identity.ParseLevel(text)
		if err != nil || !l.Holdable() {
			view.trouble(&view.Level, "admin_import.choose_a_level")
		}
		o.Level = l
	}
	if text := view.Domain.Value; text != "" {
		d, err := identity.ParseDomain(text)
		if err != nil {
			view.trouble(&view.Domain, answerTo(err).words(view.words, err))
		}
		o.Domain = d
	}
	return o
}

// runImport goes through the records, piece by piece; dry: only to say what would be done. Where a piece
// fails after others were done, the report says so.
func (s *Server) runImport(v *visit, p *pendingImport, dry bool) (*importReport, error) {
	o := p.options
	o.DryRun = dry
	report := &importReport{Name: p.name, Format: string(p.format)}
	counts := map[identity.ImportAction]int{}
	for rest := p.records; len(rest) > 0; {
		var piece []identity.ImportUser
		var at []int
		n := 0
		for ; n < len(rest) && len(piece) < identity.MaxImport; n++ {
			if rest[n].Fault == "" {
				piece, at = append(piece, rest[n].User()), append(at, n)
			}
		}
		out, err := s.opt.Identity.ImportUsers(v.ctx(), v.actor(), o, piece)
		if err != nil {
			if dry || len(report.Rows) == 0 {
				return nil, err
			}
			report.Stopped = answerTo(err).words(v.words, err)
			break
		}
		done := map[int]identity.Imported{}
		for i := range out {
			done[at[i]] = out[i]
		}
		for i := range n {
			r := rest[i]
			x, ok := done[i]
			if !ok {
				x = identity.Imported{Login: r.Login, Action: identity.ImportSkipped, Reason: r.Fault}
			}
			report.add(x, r, counts)
		}
		rest = rest[n:]
	}
	report.sum(counts)
	return report, nil
}

// add notes the line of one account.
func (w *importReport) add(x identity.Imported, r importer.Record, counts map[identity.ImportAction]int) {
	counts[x.Action]++
	row := importRow{Imported: x, Line: r.Line, Warnings: x.Warnings, Tone: map[identity.ImportAction]string{identity.ImportAdded: "ok", identity.ImportUpdated: "ok", identity.ImportSkipped: "warn"}[x.Action]}
	if x.Action == identity.ImportAdded || x.Action == identity.ImportUpdated {
		row.Warnings = append(slices.Clone(x.Warnings), r.Warnings...)
		row.Password = importPassword(x)
		if x.NeedsPlain {
			w.Plain++
		}
	}
	w.Rows = append(w.Rows, row)
}

func importPassword(x identity.Imported) string {
	switch x.Password {
	case identity.PasswordOwn:
		return "stays"
	case identity.PasswordKept:
		return x.Hash + " kept"
	case identity.PasswordSCRAM:
		return x.Hash + " keys kept"
	case identity.PasswordDerived:
		return "admin_import.taken_over"
	}
	return "none"
}

// sum says what was done in all, and shows first what needs a look.
func (w *importReport) sum(counts map[identity.ImportAction]int) {
	var parts []string
	for _, a := range []identity.ImportAction{identity.ImportAdded, identity.ImportUpdated, identity.ImportSame, identity.ImportSkipped} {
		if n := counts[a]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, a))
		}
	}
	if w.Sum = strings.Join(parts, ", "); w.Sum == "" {
		w.Sum = "admin_import.no_accounts"
	}
	rank := func(r importRow) int {
		switch {
		case r.Action == identity.ImportSkipped:
			return 0
		case len(r.Warnings) > 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(w.Rows, func(a, b importRow) int { return rank(a) - rank(b) })
	if len(w.Rows) > importShown {
		w.Hidden, w.Rows = len(w.Rows)-importShown, w.Rows[:importShown]
	}
}

// postImportApply does what the report has shown.
func (s *Server) postImportApply(v *visit) error {
	p := s.imports.take(v.browser.ID(), v.param("id"))
	if p == nil {
		return v.sorry("/admin/import", "admin_import.nothing_was_imported_the_report_is")
	}
	v.long()
	view := s.newImportView(v)
	report, err := s.runImport(v, p, false)
	if err != nil {
		return v.refused("/admin/import", "admin_import.nothing_was_imported", err)
	}
	view.Report = report
	return s.showImport(v, http.StatusOK, view)
}
