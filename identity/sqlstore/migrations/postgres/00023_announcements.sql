-- +goose Up
-- What people are told on all roads. texts is JSON, by language; standing is 1 for the message of the day;
-- ends_at and ended_at are 0 where there is none.
CREATE TABLE identity_announcements (
	id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	standing   BIGINT NOT NULL,
	body       TEXT COLLATE "C" NOT NULL,
	texts      TEXT COLLATE "C" NOT NULL,
	audience   TEXT COLLATE "C" NOT NULL,
	level      BIGINT NOT NULL,
	gid        BIGINT NOT NULL,
	places     TEXT COLLATE "C" NOT NULL,
	starts_at  BIGINT NOT NULL,
	ends_at    BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	created_by TEXT COLLATE "C" NOT NULL,
	ended_at   BIGINT NOT NULL,
	ended_by   TEXT COLLATE "C" NOT NULL
);
CREATE INDEX identity_announcements_by_start ON identity_announcements (starts_at);

-- Who was told one there, or has put it away.
CREATE TABLE identity_announced (
	announcement TEXT COLLATE "C" NOT NULL,
	owner        TEXT COLLATE "C" NOT NULL,
	place        TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (announcement, owner, place)
);
CREATE INDEX identity_announced_by_owner ON identity_announced (owner);

-- +goose Down
DROP TABLE identity_announced;
DROP TABLE identity_announcements;
