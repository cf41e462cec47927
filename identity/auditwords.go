package identity

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// AuditChange is a field of what a row of the audit log tells of, as it was and as it is; "" where it
// was or is nothing.
type AuditChange struct{ Name, Before, After string }

// AuditChanges reads what a row says before and after, two objects of JSON or nothing, and returns the
// fields that changed, by name; none where either cannot be read.
func AuditChanges(before, after string) []AuditChange {
	var was, is map[string]any
	if json.Unmarshal([]byte(cmp.Or(before, "{}")), &was) != nil || json.Unmarshal([]byte(cmp.Or(after, "{}")), &is) != nil {
		return nil
	}
	names := maps.Clone(was)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, is)
	var list []AuditChange
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if c := (AuditChange{k, auditText(was[k]), auditText(is[k])}); c.Before != c.After {
			list = append(list, c)
		}
	}
	return list
}

// AuditWords say what changed from what to what, and not what is empty: "level user → staff".
func AuditWords(before, after string) string {
	return AuditPhrase(before, after, "was", "none", func(c AuditChange) AuditChange { return c })
}

// AuditPhrase is AuditWords with other words: for "was" and "none", and, by say, for each field and its values.
func AuditPhrase(before, after, was, none string, say func(AuditChange) AuditChange) string {
	gone := after == "" || after == "null" // the thing itself, not a field of it
	var list []string
	for _, c := range AuditChanges(before, after) {
		c = say(c)
		switch {
		case c.Before == "":
			list = append(list, c.Name+" "+c.After)
		case c.After == "" && gone:
			list = append(list, c.Name+" "+was+" "+c.Before)
		case c.After == "":
			list = append(list, c.Name+" "+c.Before+" → "+none)
		default:
			list = append(list, c.Name+" "+c.Before+" → "+c.After)
		}
	}
	return strings.Join(list, ", ")
}

// auditText is a JSON value as text; what says nothing is "".
func auditText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return ""
	case float64:
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
