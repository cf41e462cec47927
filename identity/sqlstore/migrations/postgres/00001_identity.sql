-- +goose Up
-- Times are microseconds since 1970 in UTC, 0 where there is none.
CREATE TABLE identity_counters (
	name  TEXT PRIMARY KEY,
	value BIGINT NOT NULL
);
INSERT INTO identity_counters (name, value) VALUES ('id', 0), ('change', 0);

CREATE TABLE identity_users (
	id                 TEXT PRIMARY KEY,
	domain             TEXT NOT NULL,
	login              TEXT NOT NULL,
	uid                BIGINT NOT NULL UNIQUE,
	gid                BIGINT NOT NULL,
	level              INTEGER NOT NULL,
	state              TEXT NOT NULL,
	roads              TEXT NOT NULL,
	quota_bytes        BIGINT NOT NULL,
	quota_files        BIGINT NOT NULL,
	email              TEXT NOT NULL,
	display            TEXT NOT NULL,
	phone              TEXT NOT NULL,
	about              TEXT NOT NULL,
	lang               TEXT NOT NULL,
	formats            TEXT NOT NULL,
	time_zone          TEXT NOT NULL,
	search             TEXT NOT NULL,
	expires_at         BIGINT NOT NULL,
	created_at         BIGINT NOT NULL,
	last_login         BIGINT NOT NULL,
	credential_version BIGINT NOT NULL,
	change_seq         BIGINT NOT NULL,
	password           BYTEA,
	UNIQUE (domain, login)
);
CREATE INDEX identity_users_by_change ON identity_users (change_seq);
CREATE INDEX identity_users_by_gid ON identity_users (gid);
CREATE INDEX identity_users_by_login ON identity_users (login, domain);

CREATE TABLE identity_groups (
	gid        BIGINT PRIMARY KEY,
	domain     TEXT NOT NULL,
	name       TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	change_seq BIGINT NOT NULL,
	UNIQUE (domain, name)
);

CREATE TABLE identity_members (
	gid     BIGINT NOT NULL REFERENCES identity_groups (gid) ON DELETE CASCADE ON UPDATE CASCADE,
	user_id TEXT NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	manager BOOLEAN NOT NULL,
	PRIMARY KEY (gid, user_id)
);
CREATE INDEX identity_members_by_user ON identity_members (user_id);

CREATE TABLE identity_aliases (
	domain TEXT NOT NULL,
	name   TEXT NOT NULL,
	target TEXT NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	PRIMARY KEY (domain, name)
);
CREATE INDEX identity_aliases_by_target ON identity_aliases (target);

CREATE TABLE identity_browser_sessions (
	id                 TEXT PRIMARY KEY,
	selector           TEXT NOT NULL UNIQUE,
	secret_hash        BYTEA NOT NULL,
	user_id            TEXT NOT NULL,
	orig_user          TEXT NOT NULL,
	method             TEXT NOT NULL,
	credential_version BIGINT NOT NULL,
	csrf               TEXT NOT NULL,
	stay               BOOLEAN NOT NULL,
	remote             TEXT NOT NULL,
	local              TEXT NOT NULL,
	tls                TEXT NOT NULL,
	user_agent         TEXT NOT NULL,
	referer            TEXT NOT NULL,
	lang               TEXT NOT NULL,
	started_at         BIGINT NOT NULL,
	login_at           BIGINT NOT NULL,
	last_activity      BIGINT NOT NULL,
	data               BYTEA
);

CREATE TABLE identity_audit (
	id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at       BIGINT NOT NULL,
	event    TEXT NOT NULL,
	actor    TEXT NOT NULL,
	via      TEXT NOT NULL,
	subject  TEXT NOT NULL,
	protocol TEXT NOT NULL,
	method   TEXT NOT NULL,
	remote   TEXT NOT NULL,
	session  TEXT NOT NULL,
	result   TEXT NOT NULL,
	detail   TEXT NOT NULL
);
CREATE INDEX identity_audit_by_time ON identity_audit (at, id);
CREATE INDEX identity_audit_by_subject ON identity_audit (subject, at, id);
CREATE INDEX identity_audit_by_actor ON identity_audit (actor, at, id);

CREATE TABLE identity_bans (
	prefix TEXT PRIMARY KEY,
	reason TEXT NOT NULL,
	since  BIGINT NOT NULL,
	until  BIGINT NOT NULL,
	count  BIGINT NOT NULL
);

CREATE TABLE identity_settings (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);

-- +goose Down
DROP TABLE identity_settings;
DROP TABLE identity_bans;
DROP TABLE identity_audit;
DROP TABLE identity_browser_sessions;
DROP TABLE identity_aliases;
DROP TABLE identity_members;
DROP TABLE identity_groups;
DROP TABLE identity_users;
DROP TABLE identity_counters;
