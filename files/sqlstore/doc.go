// Package sqlstore keeps in the SQL database what belongs to the file tree and is no file: the
// counts of the trees, what lies in trash, old versions, checksums.
package sqlstore
