package identity

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
)

// AuditFormat is how the log is exported.
type AuditFormat string

// The formats.
const (
	AuditCSV  AuditFormat = "csv"  // RFC 4180, with a header
	AuditJSON AuditFormat = "json" // one array, of objects as the API has them
)

// exportPage is how many rows an export reads at once, and exportMost how many it has at most.
const (
	exportPage = 1000
	exportMost = 1_000_000
)

// ExportAudit writes the rows that f chooses, newest first, at most a million or f.Limit. The export
// itself goes into the log before its first byte is written, so a client that goes away is known too.
func (s *Service) ExportAudit(ctx context.Context, by Actor, f AuditFilter, format AuditFormat, w io.Writer) error {
	if format != AuditCSV && format != AuditJSON {
		return faultf(ErrInvalid, "the log is exported as csv or json, not as %q", string(format))
	}
	head, err := s.AuditHead(ctx)
	if err != nil {
		return err
	}
	err = s.Record(ctx, AuditEvent{Event: EventAuditExport, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: "audit log",
		Result: "ok", After: f.shown(format).text()})
	if err != nil {
		return err
	}
	most := f.Limit
	if most <= 0 || most > exportMost {
		most = exportMost
	}
	out := newAuditWriter(format, w)
	for most > 0 {
		f.Limit = min(most, exportPage)
		list, err := s.Audit(ctx, f)
		if err != nil {
			return err
		}
		for i := range list {
			if list[i].ID > head.ID { // of this export, and what came after it
				continue
			}
			if err := out.row(&list[i]); err != nil {
				return err
			}
		}
		if len(list) < f.Limit {
			break
		}
		most -= len(list)
		f.Before = list[len(list)-1].Cursor()
	}
	return out.end()
}

// shown is what the log says of an export.
func (f AuditFilter) shown(format AuditFormat) fields {
	out := fields{"format": string(format)}
	for k, v := range map[string]string{"event": f.Event, "subject": f.Subject, "actor": f.Actor, "protocol": string(f.Protocol),
		"result": f.Result, "text": f.Text} {
		if v != "" {
			out[k] = v
		}
	}
	if f.From.IsValid() {
		out["from"] = f.From.String()
	}
	for k, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			out[k] = t.UTC().Format(time.RFC3339)
		}
	}
	return out
}

// auditWriter writes rows in one of the formats.
type auditWriter struct {
	buf  *bufio.Writer
	csv  *csv.Writer // nil: JSON
	rows int
}

func newAuditWriter(format AuditFormat, w io.Writer) *auditWriter {
	out := &auditWriter{buf: bufio.NewWriterSize(w, 64<<10)}
	if format == AuditCSV {
		out.csv = csv.NewWriter(out.buf)
		out.csv.UseCRLF = true // RFC 4180 section 2
	}
	return out
}

func (w *auditWriter) row(e *AuditEvent) error {
	w.rows++
	if w.csv == nil {
		b, err := json.Marshal(e.Out())
		if err != nil {
			return err
		}
		sep := ",\n"
		if w.rows == 1 {
			sep = "["
		}
		_, _ = w.buf.WriteString(sep) // the next write has its error
		_, err = w.buf.Write(b)
		return err
	}
	if w.rows == 1 {
		if err := w.head(); err != nil {
			return err
		}
	}
	cells := []string{strconv.FormatInt(e.ID, 10), e.Time.UTC().Format(time.RFC3339Nano), e.Event, e.Actor, e.Via, e.Subject,
		string(e.Protocol), string(e.Method), e.Remote, e.Session, e.Result, e.Detail, e.Before, e.After}
	for i, c := range cells {
		cells[i] = noFormula(c)
	}
	return w.csv.Write(cells)
}

func (w *auditWriter) head() error {
	return w.csv.Write([]string{"id", "time", "event", "actor", "via", "subject", "protocol", "method", "remote", "session", "result", "detail", "before", "after"})
}

func (w *auditWriter) end() error {
	if w.csv != nil {
		if w.rows == 0 {
			_ = w.head() // Flush keeps its error
		}
		w.csv.Flush()
		if err := w.csv.Error(); err != nil {
			return err
		}
		return w.buf.Flush()
	}
	end := "]\n"
	if w.rows == 0 {
		end = "[]\n"
	}
	_, _ = w.buf.WriteString(end) // Flush keeps its error
	return w.buf.Flush()
}

// noFormula keeps a spreadsheet from taking what a stranger sent for a formula.
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// AuditOut is an event as clients get it: what changed as objects.
type AuditOut struct {
	ID       int64           `json:"id"`
	Time     time.Time       `json:"time"`
	Event    string          `json:"event"`
	Actor    string          `json:"actor"`
	Via      string          `json:"via"`
	Subject  string          `json:"subject"`
	Protocol Protocol        `json:"protocol"`
	Method   Method          `json:"method"`
	Remote   string          `json:"remote"`
	Session  string          `json:"session"`
	Result   string          `json:"result" doc:"ok, or why not"`
	Detail   string          `json:"detail"`
	Before   json.RawMessage `json:"before" doc:"what changed, as it was, by name of the field; null where there is nothing to say"`
	After    json.RawMessage `json:"after" doc:"what changed, as it is now"`
}

// Out is the event as clients get it.
func (e *AuditEvent) Out() AuditOut {
	return AuditOut{e.ID, e.Time, e.Event, e.Actor, e.Via, e.Subject, e.Protocol, e.Method, e.Remote, e.Session, e.Result, e.Detail,
		rawJSON(e.Before), rawJSON(e.After)}
}

// rawJSON is text as it is where it is JSON, null where there is none, else a string.
func rawJSON(text string) json.RawMessage {
	switch {
	case text == "":
		return json.RawMessage("null")
	case json.Valid([]byte(text)):
		return json.RawMessage(text)
	}
	b, _ := json.Marshal(text) // a string is never refused
	return b
}
