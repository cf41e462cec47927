package sqlstore

import (
	"context"
	"database/sql"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"trivium/identity"
)

// auditPage is how many rows are read where the filter does not say.
const auditPage = 200

// Audit implements identity.Store. Each page is read along an index that has its order: that of the
// subject, actor, event or address that is asked for, else that of time.
func (r reader) Audit(ctx context.Context, f identity.AuditFilter) ([]identity.AuditEvent, error) {
	if f.Limit <= 0 {
		f.Limit = auditPage
	}
	prefix, pattern := strings.CutSuffix(f.Event, ".*")
	if !pattern || f.Follow || f.Subject != "" || f.Actor != "" || narrow(f.From) {
		return r.audit(ctx, f, "")
	}
	// A family of events may be rare among all others, and the index is in order for each of them.
	events, err := r.AuditEvents(ctx)
	if err != nil {
		return nil, err
	}
	var out []identity.AuditEvent
	for _, e := range events {
		if !strings.HasPrefix(e, prefix+".") {
			continue
		}
		list, err := r.audit(ctx, f, e)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortFunc(out, func(a, b identity.AuditEvent) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return int(b.ID - a.ID)
	})
	return out[:min(len(out), f.Limit)], nil
}

// narrow reports whether so few rows may be from a prefix that they are found by it and sorted then.
func narrow(p netip.Prefix) bool {
	return p.IsValid() && (p.Addr().Is4() && p.Bits() >= 16 || p.Addr().Is6() && p.Bits() >= 48)
}

// conditions is a WHERE clause that grows.
type conditions struct {
	text strings.Builder
	args []any
}

// add appends a condition in which each $ stands for the next value.
func (c *conditions) add(condition string, values ...any) {
	if c.text.Len() == 0 {
		c.text.WriteString(" WHERE ")
	} else {
		c.text.WriteString(" AND ")
	}
	for _, v := range values {
		before, after, _ := strings.Cut(condition, "$")
		c.text.WriteString(before + c.value(v))
		condition = after
	}
	c.text.WriteString(condition)
}

// value keeps a value and returns the name of its place.
func (c *conditions) value(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

// audit reads one page; event takes the place of the filter's where it is not empty.
func (r reader) audit(ctx context.Context, f identity.AuditFilter, event string) ([]identity.AuditEvent, error) {
	c, order := auditWhere(f, event)
	var out []identity.AuditEvent
	err := r.each(ctx, "reading the audit log", func(rows *sql.Rows) error {
		var e identity.AuditEvent
		err := scanAudit(rows, &e)
		out = append(out, e)
		return err
	}, `SELECT `+auditColumns+` FROM identity_audit`+c.text.String()+order+"$"+strconv.Itoa(len(c.args)+1), append(c.args, f.Limit)...)
	return out, err
}

// auditWhere makes the conditions of a page, and its order. at is "+at" where the index of time shall
// not be used: both engines take the sign, and neither has an index of that.
func auditWhere(f identity.AuditFilter, event string) (c conditions, order string) {
	at, id, host := "at", "id", "host"
	single := f.From.IsValid() && f.From.IsSingleIP()
	switch {
	case f.Follow:
		at = "+at"
	case f.Subject != "" || f.Actor != "":
	case narrow(f.From) && !single:
		at, id = "+at", "+id"
	}
	if !narrow(f.From) || f.Follow {
		host = "COALESCE(host, host)"
	}
	if f.Subject != "" {
		c.add("subject = $", f.Subject)
	}
	if f.Actor != "" {
		c.add("actor = $", f.Actor)
	}
	prefix, pattern := strings.CutSuffix(f.Event, ".*")
	switch {
	case event != "":
		c.add("event = $", event)
	case pattern:
		c.add("event LIKE $ ESCAPE '!'", likeEscaper().Replace(prefix)+".%")
	case f.Event != "":
		c.add("event = $", f.Event)
	}
	if single {
		low, _ := rangeOf(f.From)
		c.add(host+" = $", low)
	} else if f.From.IsValid() {
		low, high := rangeOf(f.From)
		c.add(host+" >= $ AND "+host+" <= $", low, high)
	}
	if !f.Since.IsZero() {
		c.add(at+" >= $", micros(f.Since))
	}
	if !f.Until.IsZero() {
		c.add(at+" < $", micros(f.Until))
	}
	if f.Before != (identity.AuditCursor{}) {
		c.add("("+at+", "+id+") < ($, $)", micros(f.Before.Time), f.Before.ID)
	}
	if f.Follow {
		c.add("id > $", f.After)
	}
	if f.Protocol != "" {
		c.add("protocol = $", string(f.Protocol))
	}
	switch f.Result {
	case "":
	case "failed":
		c.add("result <> 'ok'")
	default:
		c.add("result = $", f.Result)
	}
	if f.Text != "" {
		// The engines lower other letters than those of ASCII in ways of their own, so what is written
		// as it was asked for is found too.
		const all = `event || ' ' || actor || ' ' || via || ' ' || subject || ' ' || remote || ' ' || session || ' ' || result || ' ' || detail || ' ' || before || ' ' || after`
		as := "%" + likeEscaper().Replace(f.Text) + "%"
		c.add("(LOWER("+all+") LIKE $ ESCAPE '!' OR "+all+" LIKE $ ESCAPE '!')", strings.ToLower(as), as)
	}
	if f.Follow {
		return c, " ORDER BY id LIMIT "
	}
	return c, " ORDER BY " + at + " DESC, " + id + " DESC LIMIT "
}

// rangeOf is the first and the last address of a prefix as the column has them.
func rangeOf(p netip.Prefix) (low, high []byte) {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	a := p.Masked().Addr().As16()
	b := a
	for i := bits; i < 128; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return a[:], b[:]
}
