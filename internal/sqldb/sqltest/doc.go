// Package sqltest helps tests of packages that use sqldb: real SQLite stores in a temporary folder, real
// PostgreSQL servers from the binaries that are installed, and checks of the SQL text in a folder of Go files.
package sqltest
