package web

import (
	"strconv"
	"strings"
	"time"

	"trivium/identity"
	"trivium/web/text"
)

// eventWord is what an event of the audit log is called; one that a program has named keeps its name.
func eventWord(words *text.Language, event string) string {
	return wordOf(words, "event."+strings.ReplaceAll(event, ".", "_"), event)
}

// wordOf is the text of a key that is put together, else what the log itself has.
func wordOf(words *text.Language, key, raw string) string {
	if !words.Has(key) {
		return raw
	}
	return words.T(key)
}

// recordedWord is a result or a detail of the audit log, which the services write in English.
func recordedWord(words *text.Language, said string) string {
	if own := words.Echo("audit", said); own != said {
		return own
	}
	return words.Echo("service", said)
}

// viaWord is by which road somebody came.
func viaWord(words *text.Language, via string) string {
	if source, ok := strings.CutPrefix(via, "source:"); ok {
		return words.T("event.via_source", source)
	}
	return wordOf(words, "event.via_"+via, via)
}

// Changes are the fields of a row that changed, by name, as the visitor reads them; none where the row tells of
// no change.
func (p *page) Changes(r auditRow) []identity.AuditChange {
	list := identity.AuditChanges(r.Before, r.After)
	for i, c := range list {
		list[i] = p.change(c)
	}
	return list
}

// ChangeWords say what changed from what to what.
func (p *page) ChangeWords(r auditRow) string {
	return identity.AuditPhrase(r.Before, r.After, p.T("event.was"), p.T("common.none"), p.change)
}

func (p *page) change(c identity.AuditChange) identity.AuditChange {
	return identity.AuditChange{Name: wordOf(p.words, "field."+c.Name, c.Name), Before: p.changed(c.Name, c.Before), After: p.changed(c.Name, c.After)}
}

// changed is the value of a field: moments, sizes and words that the log has in one form for all.
func (p *page) changed(name, value string) string {
	if value == "" {
		return ""
	}
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return p.Stamp(t).Exact
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		switch name {
		case "bytes", "quota_bytes", "member_bytes":
			return p.words.Bytes(n)
		case "upload_rate", "download_rate":
			return p.words.Bytes(n) + "/s"
		}
	}
	switch {
	case value == "yes":
		return p.T("event.yes")
	case name == "level" || name == "member_level":
		return wordOf(p.words, "level."+strings.ReplaceAll(value, "-", "_"), value)
	case name == "state":
		return wordOf(p.words, "event.state_"+value, value)
	}
	return value
}
