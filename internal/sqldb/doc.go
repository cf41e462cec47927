// Package sqldb is the handle on the SQL store: one writer that groups commits, a pool of
// readers, and migrations with a version table for each module.
//
// Writes go through [DB.Write]: callers are queued, one goroutine runs what is queued inside one
// transaction with a savepoint for each caller, and each call returns once its work is durable. So
// many small durable writes share the cost of one fsync, and one caller's error hurts nobody else.
// Reads ([DB.QueryContext], [DB.QueryRowContext]) use their own connections, which cannot write.
//
// On PostgreSQL the write connection takes a lock of the database with each transaction, so that
// several processes write one after the other, in one order that all see; [DB.Alone] keeps others out
// for good. A connection that breaks is replaced; a read is then asked again, and a write is answered
// with [ErrGone], with a note where it broke in the commit and nobody knows what became of it.
//
// Rules for SQL text, so that one text serves SQLite and PostgreSQL:
//
//   - parameters are $1 to $n, and they first appear in ascending order (sqltest.CheckQueries
//     checks a folder for it; some SQLite drivers number them by appearance and would silently
//     match nothing);
//   - INSERT … ON CONFLICT … DO UPDATE, RETURNING and IS NOT DISTINCT FROM are understood by both;
//   - time.Time arguments are stored in UTC with an offset of +00:00 and sort as text; INTEGER
//     columns with Unix times are as good and smaller;
//   - DDL lies in migrations, in one folder for each dialect; in PostgreSQL's, text is COLLATE "C", to be
//     compared by bytes as SQLite does, and numbers are BIGINT;
//   - a parameter that is compared with a number in the text is CAST($n AS BIGINT), or PostgreSQL takes
//     it for 32 bits;
//   - a statement that fails ends the write on PostgreSQL: one that may be refused is a TryContext.
//
// | what | state |
// |---|---|
// | SQLite 3 (WAL, synchronous=FULL, foreign keys) | done |
// | PostgreSQL 13 and newer | done |
package sqldb
