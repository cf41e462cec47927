-- +goose Up
-- Where a browser's clock is, in minutes east of UTC, and whether it has said so.
ALTER TABLE identity_browser_sessions ADD COLUMN tz_offset BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_browser_sessions ADD COLUMN tz_set BOOLEAN NOT NULL DEFAULT FALSE;

-- Who banned and why, and in which order bans changed: one that was lifted stays, with until 0, so
-- that every process hears of it.
ALTER TABLE identity_bans ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT 'guessing';
ALTER TABLE identity_bans ADD COLUMN actor TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE identity_bans ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
CREATE INDEX identity_bans_by_seq ON identity_bans (seq);
INSERT INTO identity_counters (name, value) VALUES ('ban', 0);

-- Addresses that are never banned.
CREATE TABLE identity_ban_allows (
	prefix TEXT COLLATE "C" PRIMARY KEY,
	reason TEXT COLLATE "C" NOT NULL,
	actor  TEXT COLLATE "C" NOT NULL,
	since  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE identity_ban_allows;
DELETE FROM identity_counters WHERE name = 'ban';
DROP INDEX identity_bans_by_seq;
ALTER TABLE identity_bans DROP COLUMN seq;
ALTER TABLE identity_bans DROP COLUMN actor;
ALTER TABLE identity_bans DROP COLUMN kind;
ALTER TABLE identity_browser_sessions DROP COLUMN tz_set;
ALTER TABLE identity_browser_sessions DROP COLUMN tz_offset;
