package sqldb

// Commits is the number of transactions committed so far.
func (db *DB) Commits() int64 { return db.writer.commits.Load() }

// Queued is the number of calls in the queue.
func (db *DB) Queued() int { return len(db.writer.queue) }

// QueueLen is how many calls the queue holds.
const QueueLen = queueLen
