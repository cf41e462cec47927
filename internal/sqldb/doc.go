// Package sqldb is the handle on the SQL store: one writer that groups commits, a pool of
// readers, and migrations with a version table for each module.
//
// Writes go through [DB.Write]: callers are queued, one goroutine runs what is queued inside one
// transaction with a savepoint for each caller, and each call returns once its work is durable. So
// many small durable writes share the cost of one fsync, and one caller's error hurts nobody else.
// Reads ([DB.QueryContext], [DB.QueryRowContext]) use their own connections, which cannot write.
//
// Rules for SQL text, so that one text serves SQLite and PostgreSQL:
//
//   - parameters are $1 to $n, and they first appear in ascending order (sqltest.CheckQueries
//     checks a folder for it; some SQLite drivers number them by appearance and would silently
//     match nothing);
//   - INSERT … ON CONFLICT … DO UPDATE, RETURNING and IS NOT DISTINCT FROM are understood by both;
//   - time.Time arguments are stored in UTC with an offset of +00:00 and sort as text; INTEGER
//     columns with Unix times are as good and smaller;
//   - DDL lies in migrations, in one folder for each dialect.
//
// | what | state |
// |---|---|
// | SQLite 3 (WAL, synchronous=FULL, foreign keys) | done |
// | PostgreSQL | dialect name and folder only |
package sqldb
