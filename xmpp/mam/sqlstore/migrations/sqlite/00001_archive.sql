-- +goose Up
-- One row each; numbers are never given twice.
CREATE TABLE mam_owners (
	n        INTEGER PRIMARY KEY AUTOINCREMENT,
	owner    TEXT    NOT NULL UNIQUE,
	floor    INTEGER NOT NULL DEFAULT 0, -- this and what is below has left the archive
	swept    INTEGER NOT NULL DEFAULT 0, -- up to here it has been removed, too
	settings BLOB
);

-- All messages in the order in which they came. data begins with whose archives hold it.
CREATE TABLE mam_messages (
	id   INTEGER PRIMARY KEY,
	data BLOB    NOT NULL
);

-- Which messages are in an archive: ids, eight bytes each, in runs that do not overlap.
CREATE TABLE mam_index (
	owner INTEGER NOT NULL,
	kind  INTEGER NOT NULL, -- 0: all, 1: sent, with a key after each id, else: with one contact
	first INTEGER NOT NULL,
	last  INTEGER NOT NULL,
	ids   BLOB    NOT NULL,
	PRIMARY KEY (owner, kind, first)
) WITHOUT ROWID;

CREATE TABLE mam_state (
	name  TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE mam_state;
DROP TABLE mam_index;
DROP TABLE mam_messages;
DROP TABLE mam_owners;
