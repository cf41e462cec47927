package ftp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"trivium/identity"
)

// Bounds of the texts that are shown.
const (
	textSize  = 16 << 10 // of a text of the config, in bytes
	textShown = 32 << 10 // of one with its variables filled in
	valueSize = 128      // of the value of a variable, in characters
	noteSize  = 4 << 10  // of the text of a folder, in bytes
	noteMost  = 1024     // folders of which a session has seen the text
)

// readText reads a text of the config: a regular file of at most textSize bytes of UTF-8.
func readText(name string) (string, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular(): // a pipe would hold up whoever opens it
		return "", errors.New("it is no regular file")
	case info.Size() > textSize:
		return "", fmt.Errorf("it is longer than %d bytes", textSize)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, textSize))
	switch {
	case err != nil:
		return "", err
	case !utf8.Valid(b):
		return "", errors.New("it is not UTF-8")
	}
	return string(b), nil
}

// checkTexts warns of texts that cannot be shown; then clients get the plain replies.
func (s *Server) checkTexts() {
	for _, t := range []struct{ key, path string }{{"ftp.display_connect", s.cfg.DisplayConnect},
		{"ftp.display_login", s.cfg.DisplayLogin}, {"ftp.display_quit", s.cfg.DisplayQuit}} {
		if t.path == "" {
			continue
		}
		if _, err := readText(t.path); err != nil {
			s.log.Warn("a text for FTP clients cannot be shown", "key", t.key, "file", t.path, "error", err)
		}
	}
	if name := s.cfg.DisplayChdir; name != "" && !isName(name) {
		s.log.Warn("a text for FTP clients cannot be shown", "key", "ftp.display_chdir", "file", name, "error", "it is a name without a folder")
	}
}

// isName reports whether a name can be that of an entry of a folder.
func isName(name string) bool {
	return plain(name) && name == path.Base(name) && name != "." && name != ".." && name != "/"
}

// lead is what stands in a reply before its last line (RFC 959 section 4.2): the first line has the
// code and a hyphen, the others are indented, so that none looks like the last one. Control
// characters are masked.
func lead(code int, body []string) string {
	var b strings.Builder
	for i, l := range body {
		if i == 0 {
			fmt.Fprintf(&b, "%d-%s\r\n", code, printable(l))
			continue
		}
		b.WriteString(" " + printable(l) + "\r\n")
	}
	return b.String()
}

// textLines cuts a text into lines; the end of the last one is no line of its own.
func textLines(text string) []string {
	text = strings.TrimRight(strings.NewReplacer("\r\n", "\n", "\t", "    ").Replace(text), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// display is a text of the config as the lead of a reply; "" where there is none or it cannot be
// read. It is read anew each time.
func (s *session) display(code int, name string) string {
	if name == "" {
		return ""
	}
	text, err := readText(name)
	if err != nil {
		s.logger().Debug("a text for FTP clients cannot be shown", "file", name, "error", err)
		return ""
	}
	return lead(code, textLines(s.expand(text)))
}

// expand fills in the variables of a text; what is no variable stays as it is.
func (s *session) expand(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var b strings.Builder
	known := map[byte]string{} // some cost a look at the disk
	for i := 0; i < len(text) && b.Len() < textShown; i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		v, ok := known[text[i]]
		if !ok {
			if v, ok = s.variable(text[i]); !ok {
				b.WriteString(text[i-1 : i+1])
				continue
			}
			v = printable(v)
			if r := []rune(v); len(r) > valueSize {
				v = string(r[:valueSize])
			}
			known[text[i]] = v
		}
		b.WriteString(v)
	}
	return b.String()
}

// variable is the value of one; "-" where there is none yet.
func (s *session) variable(letter byte) (string, bool) {
	value := func(p *string) string {
		if p == nil {
			return "-"
		}
		return *p
	}
	switch letter {
	case '%':
		return "%", true
	case 'L':
		return s.ses.Local().Addr().String(), true
	case 'V':
		if s.domain != "" {
			return s.domain, true
		}
		if len(s.srv.domains) > 0 {
			return s.srv.domains[0], true
		}
		return "-", true
	case 'h':
		return s.ses.Remote().Addr().String(), true
	case 'N':
		return strconv.Itoa(s.srv.registry.Count(identity.Filter{Protocol: identity.ProtocolFTP})), true
	case 'M':
		most := s.srv.registry.Limits().Sessions
		if c := s.ses.Class(); c.MaxSessions > 0 && (most == 0 || c.MaxSessions < most) {
			most = c.MaxSessions
		}
		if most == 0 {
			return "unlimited", true
		}
		return strconv.Itoa(most), true
	case 'T':
		return time.Now().Format("Mon Jan 02 15:04:05 2006"), true
	case 'u':
		i := s.ses.Info()
		if i.User == nil {
			return value(i.AnonUser), true
		}
		return *i.User, true
	case 'U':
		if s.name == "" {
			return "-", true
		}
		return s.name, true
	case 'C':
		return s.params.cwd, true
	case 'E':
		if s.srv.contact == "" {
			return "-", true
		}
		return s.srv.contact, true
	case 'F':
		return s.free(), true
	}
	return "", false
}

// free is how much can still be written where the session stands.
func (s *session) free() string {
	if s.tree == nil {
		return "-"
	}
	q, err := s.tree.Quota(s.ctx, s.params.cwd)
	if err != nil || q.Free < 0 {
		return "-"
	}
	f, unit := float64(q.Free), 0
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	for f >= 1000 && unit < len(units)-1 {
		f, unit = f/1000, unit+1
	}
	return strconv.FormatFloat(f, 'f', min(unit, 1), 64) + " " + units[unit]
}

// note is the text of the folder that is entered, once for each folder: what the session may read
// there itself. It is another person's, so nothing is filled in.
func (s *session) note(code int, folder string) string {
	name := s.srv.cfg.DisplayChdir
	if name == "" || !isName(name) || s.noted[folder] || len(s.noted) >= noteMost {
		return ""
	}
	at := path.Join(folder, name)
	if !s.allowed("ftp:RETR") || s.limited(s.ctx, at, "RETR") {
		return ""
	}
	tree := s.bound("RETR")
	if info, err := tree.Stat(s.ctx, at); err != nil || info.Dir || info.Part {
		return ""
	}
	f, err := tree.Open(s.ctx, at)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, noteSize))
	if err != nil {
		return ""
	}
	if s.noted == nil {
		s.noted = map[string]bool{}
	}
	s.noted[folder] = true
	return lead(code, textLines(strings.ToValidUTF8(string(b), "?")))
}
