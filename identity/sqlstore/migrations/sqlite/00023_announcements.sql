-- +goose Up
-- What people are told on all roads. texts is JSON, by language; standing is 1 for the message of the day;
-- ends_at and ended_at are 0 where there is none.
CREATE TABLE identity_announcements (
	id         TEXT NOT NULL PRIMARY KEY,
	standing   INTEGER NOT NULL,
	body       TEXT NOT NULL,
	texts      TEXT NOT NULL,
	audience   TEXT NOT NULL,
	level      INTEGER NOT NULL,
	gid        INTEGER NOT NULL,
	places     TEXT NOT NULL,
	starts_at  INTEGER NOT NULL,
	ends_at    INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	created_by TEXT NOT NULL,
	ended_at   INTEGER NOT NULL,
	ended_by   TEXT NOT NULL
);
CREATE INDEX identity_announcements_by_start ON identity_announcements (starts_at);

-- Who was told one there, or has put it away.
CREATE TABLE identity_announced (
	announcement TEXT NOT NULL,
	owner        TEXT NOT NULL,
	place        TEXT NOT NULL,
	PRIMARY KEY (announcement, owner, place)
) WITHOUT ROWID;
CREATE INDEX identity_announced_by_owner ON identity_announced (owner);

-- +goose Down
DROP TABLE identity_announced;
DROP TABLE identity_announcements;
