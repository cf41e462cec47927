package identity_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"trivium/identity"
)

func TestExportAudit(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.must("recording", l.Record(t.Context(), identity.AuditEvent{Event: "x", Subject: "=cmd()", Detail: "a \"b\",\nc", After: `{"level":"staff"}`, Before: "not JSON"}))
	l.record(1200)
	var out bytes.Buffer
	l.must("exporting", l.ExportAudit(t.Context(), adminOne, identity.AuditFilter{}, identity.AuditCSV, &out))
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 1202 || rows[0][0] != "id" || rows[1201][5] != "'=cmd()" || rows[1201][11] != "a \"b\",\nc" {
		t.Errorf("%d rows, %v: %v", len(rows), err, rows[len(rows)-1])
	}
	out.Reset()
	l.must("exporting", l.ExportAudit(t.Context(), adminOne, identity.AuditFilter{Event: "x"}, identity.AuditJSON, &out))
	var list []identity.AuditOut
	if err := json.Unmarshal(out.Bytes(), &list); err != nil || len(list) != 1 || string(list[0].After) != `{"level":"staff"}` || string(list[0].Before) != `"not JSON"` {
		t.Errorf("%v: %s", err, out.Bytes())
	}
	out.Reset()
	l.must("exporting nothing", l.ExportAudit(t.Context(), adminOne, identity.AuditFilter{Event: "none"}, identity.AuditJSON, &out))
	if out.String() != "[]\n" {
		t.Errorf("nothing is %q", out.String())
	}
	got, err := l.Audit(t.Context(), identity.AuditFilter{Event: identity.EventAuditExport})
	if err != nil || len(got) != 3 || got[0].Actor != "admin1" || !strings.Contains(got[0].After, `"event":"none"`) {
		t.Errorf("the exports stand there as %+v, %v", got, err)
	}
	if err := l.ExportAudit(t.Context(), adminOne, identity.AuditFilter{}, "xml", &out); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("another format: %v", err)
	}
}

func TestParseFrom(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "invalid Prefix", "192.0.2.1": "192.0.2.1/32", "192.0.2.9/24": "192.0.2.0/24", "2001:db8::1": "2001:db8::1/128", "::ffff:192.0.2.1": "192.0.2.1/32"} {
		if p, err := identity.ParseFrom(in); err != nil || p.String() != want {
			t.Errorf("%q: %v, %v", in, p, err)
		}
	}
	for _, in := range []string{"x", "192.0.2.1/33", "192.0.2"} {
		if _, err := identity.ParseFrom(in); !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("%q: %v", in, err)
		}
	}
}
