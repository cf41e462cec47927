-- +goose Up
-- The directory that an account is from, and what it is there; '' where it is from nowhere. off:
-- the directory has disabled it, and no person.
ALTER TABLE identity_users ADD COLUMN source TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE identity_users ADD COLUMN subject TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE identity_users ADD COLUMN source_off BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX identity_users_by_source ON identity_users (source, subject) WHERE source <> '';

-- Who an account is at a provider of OpenID Connect.
CREATE TABLE identity_links (
	issuer    TEXT COLLATE "C" NOT NULL,
	subject   TEXT COLLATE "C" NOT NULL,
	user_id   TEXT COLLATE "C" NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	source    TEXT COLLATE "C" NOT NULL,
	label     TEXT COLLATE "C" NOT NULL,
	linked_at BIGINT NOT NULL,
	used_at   BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_links_by_user ON identity_links (user_id);

-- +goose Down
DROP TABLE identity_links;
DROP INDEX identity_users_by_source;
ALTER TABLE identity_users DROP COLUMN source_off;
ALTER TABLE identity_users DROP COLUMN subject;
ALTER TABLE identity_users DROP COLUMN source;
