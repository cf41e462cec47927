package sqlstore

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
)

// TestAuditPlans holds that each page of the audit log is read in its order along an index, or sorted
// where only few rows can match.
func TestAuditPlans(t *testing.T) {
	t.Parallel()
	db := sqltest.Migrated(t, Migrate)
	since, before := time.Unix(1, 0), identity.AuditCursor{Time: time.Unix(2, 0), ID: 5}
	for _, tt := range []struct {
		name, index string
		sorted      bool
		filter      identity.AuditFilter
		event       string
	}{
		{"all", "by_time", false, identity.AuditFilter{}, ""},
		{"a page", "by_time", false, identity.AuditFilter{Before: before}, ""},
		{"since", "by_time", false, identity.AuditFilter{Since: since, Before: before}, ""},
		{"a subject", "by_subject", false, identity.AuditFilter{Subject: "a", Since: since, Before: before}, ""},
		{"a subject and a family", "by_subject", false, identity.AuditFilter{Subject: "a", Event: "login.*", Since: since}, ""},
		{"an actor", "by_actor", false, identity.AuditFilter{Actor: "a", Before: before}, ""},
		{"an event", "by_event", false, identity.AuditFilter{Event: "a", Since: since, Before: before}, ""},
		{"one of a family", "by_event", false, identity.AuditFilter{Event: "a.*", Since: since, Before: before}, "a.b"},
		{"an address", "by_host", false, identity.AuditFilter{From: netip.MustParsePrefix("192.0.2.1/32"), Since: since, Before: before}, ""},
		{"a narrow prefix", "by_host", true, identity.AuditFilter{From: netip.MustParsePrefix("192.0.2.0/24"), Since: since, Before: before}, ""},
		{"a wide prefix", "by_time", false, identity.AuditFilter{From: netip.MustParsePrefix("192.0.0.0/8"), Since: since, Before: before}, ""},
		{"a text", "by_time", false, identity.AuditFilter{Text: "a", Result: "failed", Protocol: "ftp", Since: since}, ""},
		{"followed", "INTEGER PRIMARY KEY", false, identity.AuditFilter{Follow: true, Since: since}, ""},
		{"followed family", "INTEGER PRIMARY KEY", false, identity.AuditFilter{Follow: true, Event: "login.*", From: netip.MustParsePrefix("192.0.2.0/24")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, order := auditWhere(tt.filter, tt.event)
			plan := explain(t, db, "SELECT "+auditColumns+" FROM identity_audit"+c.text.String()+order+"1000", c.args...)
			if !strings.Contains(plan, tt.index) || strings.Contains(plan, "TEMP B-TREE") != tt.sorted {
				t.Errorf("%s\n%s", c.text.String()+order, plan)
			}
		})
	}
	if plan := explain(t, db, "SELECT id FROM identity_audit WHERE event = $1 AND at < $2 ORDER BY at, id LIMIT 1", "a", 1); !strings.Contains(plan, "by_event") || strings.Contains(plan, "TEMP") {
		t.Errorf("of retention: %s", plan)
	}
}
