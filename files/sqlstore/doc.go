// Package sqlstore keeps in the SQL database what belongs to the file tree and is no file: the
// counts of the trees.
package sqlstore
