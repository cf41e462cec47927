// Package sqltest helps tests of packages that use sqldb: a real SQLite store in a temporary
// folder, and a check of the SQL text in a folder of Go files.
package sqltest
