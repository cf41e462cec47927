package app

import "trivium/identity"

// AuditWords say what a row of the audit log tells of a change, from the two objects of JSON in it.
func AuditWords(before, after string) string { return identity.AuditWords(before, after) }
