package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"trivium/identity/importer"
)

// ImportRecord is an account as another server tells it.
type ImportRecord = importer.Record

// ImportFiles names what an import reads. Shadow and Groups are "" where there are none.
type ImportFiles struct {
	Format string // "" is guessed where the file says it
	File   string // prosody: the data directory
	Shadow string
	Groups string
}

// ImportFormats lists what Format may be.
func ImportFormats() []string {
	var names []string
	for _, f := range importer.Formats() {
		names = append(names, string(f))
	}
	return names
}

// ErrImportFormat says that nobody can tell what a file is.
var ErrImportFormat = errors.New("what the file holds cannot be told")

// GuessFormat tells the format of a file by its name and beginning.
func GuessFormat(file string) (string, error) {
	st, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if st.IsDir() {
		return string(importer.Prosody), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	head, err := bufio.NewReaderSize(f, 4096).Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if format := importer.Guess(file, head); format != "" && format != importer.Prosody {
		return string(format), nil
	}
	return "", ErrImportFormat
}

// ReadAccounts reads the accounts of another server, one after the other.
func ReadAccounts(in ImportFiles, each func(ImportRecord) error) (err error) {
	if in.Format == string(importer.Prosody) {
		return importer.ReadProsody(os.DirFS(in.File), each)
	}
	var open []io.Closer
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	var input importer.Input
	for _, f := range []struct {
		name string
		to   *io.Reader
	}{{in.File, &input.Main}, {in.Shadow, &input.Shadow}, {in.Groups, &input.Group}} {
		if f.name == "" {
			continue
		}
		file, err := os.Open(f.name)
		if err != nil {
			return err
		}
		open = append(open, file)
		*f.to = file
	}
	if err := importer.Read(importer.Format(in.Format), input, each); err != nil {
		return fmt.Errorf("%s: %w", in.File, err)
	}
	return nil
}

// OpenChat reads what chat has kept of accounts as XEP-0227: a file of that, or the data directory of
// Prosody. fault is told of each file there that cannot be read.
func OpenChat(format, name string, fault func(name string, err error)) (io.ReadCloser, error) {
	if format != string(importer.Prosody) {
		return os.Open(name)
	}
	if _, err := os.ReadDir(name); err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { // it ends with the pipe
		_ = w.CloseWithError(importer.ProsodyChat(os.DirFS(name), w, fault))
	}()
	return r, nil
}
