package web

import (
	"encoding/csv"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"trivium/files"
)

// Bounds of what a preview shows.
const (
	maxPreview     = 1 << 20 // bytes of a text
	maxPreviewRows = 1000    // of a table
	maxPreviewCols = 100
	maxNeighbours  = 20_000 // entries of a folder in which the next one is looked for
)

// preview is how a file is shown.
type preview string

// The previews.
const (
	previewNone  preview = ""
	previewImage preview = "image"
	previewAudio preview = "audio"
	previewVideo preview = "video"
	previewText  preview = "text"
	previewTable preview = "table"
)

// textTypes are the ends of names of what is text, beside what has a type of its own.
var textTypes = []string{"", ".md", ".log", ".ini", ".toml", ".yaml", ".yml", ".json", ".xml", ".go", ".c", ".h", ".cc", ".cpp", ".rs", ".py",
	".rb", ".pl", ".php", ".java", ".kt", ".swift", ".ts", ".js", ".css", ".sql", ".sh", ".bash", ".bat", ".ps1", ".conf", ".cfg", ".tex", ".diff", ".patch", ".srt"}

// previewOf decides by the name alone: a browser shows pictures, sound and film by their own bytes, and
// never runs them.
func previewOf(name string) preview {
	ext := strings.ToLower(path.Ext(name))
	kind, _, _ := mime.ParseMediaType(mime.TypeByExtension(ext))
	switch family, _, _ := strings.Cut(kind, "/"); {
	case ext == ".csv" || ext == ".tsv":
		return previewTable
	case slices.Contains(textTypes, ext):
		return previewText
	case family == "image", family == "audio", family == "video", family == "text":
		return preview(family)
	}
	return previewNone
}

type previewView struct {
	page
	files.Info
	Kind       preview
	Name       string
	Src        string // the file's address
	Folder     string // of the folder it is in
	Prev, Next string // the neighbours in it
	Changed    stamp
	ModeText   string
	Text       string
	Head       []string // of a table
	Rows       [][]string
	Cut        bool   // there is more than is shown
	Why        string // why it is not shown
	Crumbs     []crumb
}

// showPreview is the page of one file: what it is, what is in it, and the way to the next.
func (s *Server) showPreview(v *visit, tree *files.Tree, info files.Info) error {
	dir := path.Dir(info.Path)
	view := &previewView{Info: info, Name: path.Base(info.Path), Kind: previewOf(info.Path), Src: filesHref(info.Path), Folder: filesHref(dir),
		ModeText: info.Mode.Perm().String()[1:]}
	view.Crumbs, _ = v.crumbs(info.Path)
	v.fill(&view.page, "files", view.Name)
	view.Changed = view.Stamp(info.ModTime)
	if err := view.read(v, tree); err != nil {
		return err
	}
	if err := view.neighbours(v, tree, dir); err != nil {
		return err
	}
	return s.write(v, http.StatusOK, "preview", view)
}

// read takes what a page can show of a text.
func (w *previewView) read(v *visit, tree *files.Tree) error {
	if w.Kind == previewNone || w.Info.Part {
		w.Kind, w.Why = previewNone, v.T("preview.there_is_no_preview_of_files")
		return nil
	}
	f, err := tree.Open(v.ctx(), w.Info.Path) // the right to read it is asked here, whatever is shown
	if err != nil {
		return err
	}
	defer f.Close() // only read
	if w.Kind != previewText && w.Kind != previewTable {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPreview+1))
	if err != nil {
		return err
	}
	if len(text) > maxPreview {
		text, w.Cut = text[:maxPreview], true
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) { // not half a character
			text = text[:len(text)-1]
		}
		text = text[:max(0, len(text)-1)]
	}
	if !utf8.Valid(text) || slices.Contains(text, 0) {
		w.Kind, w.Why = previewNone, v.T("preview.it_is_no_text_in_utf")
		return nil
	}
	if w.Kind == previewTable && w.table(string(text)) {
		return nil
	}
	w.Kind, w.Text = previewText, string(text)
	return nil
}

// table reads comma separated values (RFC 4180); false where the text is none.
func (w *previewView) table(text string) bool {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, false
	first, _, _ := strings.Cut(text, "\n")
	for _, comma := range []rune{'\t', ';'} {
		if strings.Count(first, string(comma)) > strings.Count(first, ",") {
			r.Comma = comma
		}
	}
	for {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return w.Head != nil
		case err != nil:
			w.Head, w.Rows = nil, nil
			return false
		case len(row) > maxPreviewCols:
			row, w.Cut = row[:maxPreviewCols], true
		}
		if w.Head == nil {
			w.Head = row
			continue
		}
		if len(w.Rows) == maxPreviewRows {
			w.Cut = true
			return true
		}
		w.Rows = append(w.Rows, row)
	}
}

// neighbours finds the files before and after it in its folder, by name.
func (w *previewView) neighbours(v *visit, tree *files.Tree, dir string) error {
	var list []files.Info
	err := tree.ReadDir(v.ctx(), dir, func(i files.Info) error {
		if !i.Dir && !i.Link && !i.Part {
			list = append(list, i)
		}
		if len(list) > maxNeighbours {
			return errEnough
		}
		return nil
	})
	if err != nil {
		return v.ctx().Err() // a folder that may not be listed, or is too large, has no neighbours to show
	}
	sortFiles(list, "name")
	at := slices.IndexFunc(list, func(i files.Info) bool { return i.Name == w.Name })
	if at > 0 {
		w.Prev = filesHref(path.Join(dir, list[at-1].Name)) + "?view"
	}
	if at >= 0 && at+1 < len(list) {
		w.Next = filesHref(path.Join(dir, list[at+1].Name)) + "?view"
	}
	return nil
}
