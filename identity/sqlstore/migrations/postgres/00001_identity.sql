-- +goose Up
-- Times are microseconds since 1970 in UTC, 0 where there is none.
CREATE TABLE identity_counters (
	name  TEXT COLLATE "C" PRIMARY KEY,
	value BIGINT NOT NULL
);
INSERT INTO identity_counters (name, value) VALUES ('id', 0), ('change', 0);

CREATE TABLE identity_users (
	id                 TEXT COLLATE "C" PRIMARY KEY,
	domain             TEXT COLLATE "C" NOT NULL,
	login              TEXT COLLATE "C" NOT NULL,
	uid                BIGINT NOT NULL UNIQUE,
	gid                BIGINT NOT NULL,
	level              BIGINT NOT NULL,
	state              TEXT COLLATE "C" NOT NULL,
	roads              TEXT COLLATE "C" NOT NULL,
	quota_bytes        BIGINT NOT NULL,
	quota_files        BIGINT NOT NULL,
	email              TEXT COLLATE "C" NOT NULL,
	display            TEXT COLLATE "C" NOT NULL,
	phone              TEXT COLLATE "C" NOT NULL,
	about              TEXT COLLATE "C" NOT NULL,
	lang               TEXT COLLATE "C" NOT NULL,
	formats            TEXT COLLATE "C" NOT NULL,
	time_zone          TEXT COLLATE "C" NOT NULL,
	search             TEXT COLLATE "C" NOT NULL,
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
	domain     TEXT COLLATE "C" NOT NULL,
	name       TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	change_seq BIGINT NOT NULL,
	UNIQUE (domain, name)
);

CREATE TABLE identity_members (
	gid     BIGINT NOT NULL REFERENCES identity_groups (gid) ON DELETE CASCADE ON UPDATE CASCADE,
	user_id TEXT COLLATE "C" NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	manager BOOLEAN NOT NULL,
	PRIMARY KEY (gid, user_id)
);
CREATE INDEX identity_members_by_user ON identity_members (user_id);

CREATE TABLE identity_aliases (
	domain TEXT COLLATE "C" NOT NULL,
	name   TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	PRIMARY KEY (domain, name)
);
CREATE INDEX identity_aliases_by_target ON identity_aliases (target);

CREATE TABLE identity_browser_sessions (
	id                 TEXT COLLATE "C" PRIMARY KEY,
	selector           TEXT COLLATE "C" NOT NULL UNIQUE,
	secret_hash        BYTEA NOT NULL,
	user_id            TEXT COLLATE "C" NOT NULL,
	orig_user          TEXT COLLATE "C" NOT NULL,
	method             TEXT COLLATE "C" NOT NULL,
	credential_version BIGINT NOT NULL,
	csrf               TEXT COLLATE "C" NOT NULL,
	stay               BOOLEAN NOT NULL,
	remote             TEXT COLLATE "C" NOT NULL,
	local              TEXT COLLATE "C" NOT NULL,
	tls                TEXT COLLATE "C" NOT NULL,
	user_agent         TEXT COLLATE "C" NOT NULL,
	referer            TEXT COLLATE "C" NOT NULL,
	lang               TEXT COLLATE "C" NOT NULL,
	started_at         BIGINT NOT NULL,
	login_at           BIGINT NOT NULL,
	last_activity      BIGINT NOT NULL,
	data               BYTEA
);

CREATE TABLE identity_audit (
	id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at       BIGINT NOT NULL,
	event    TEXT COLLATE "C" NOT NULL,
	actor    TEXT COLLATE "C" NOT NULL,
	via      TEXT COLLATE "C" NOT NULL,
	subject  TEXT COLLATE "C" NOT NULL,
	protocol TEXT COLLATE "C" NOT NULL,
	method   TEXT COLLATE "C" NOT NULL,
	remote   TEXT COLLATE "C" NOT NULL,
	session  TEXT COLLATE "C" NOT NULL,
	result   TEXT COLLATE "C" NOT NULL,
	detail   TEXT COLLATE "C" NOT NULL
);
CREATE INDEX identity_audit_by_time ON identity_audit (at, id);
CREATE INDEX identity_audit_by_subject ON identity_audit (subject, at, id);
CREATE INDEX identity_audit_by_actor ON identity_audit (actor, at, id);

CREATE TABLE identity_bans (
	prefix TEXT COLLATE "C" PRIMARY KEY,
	reason TEXT COLLATE "C" NOT NULL,
	since  BIGINT NOT NULL,
	until  BIGINT NOT NULL,
	count  BIGINT NOT NULL
);

CREATE TABLE identity_settings (
	name  TEXT COLLATE "C" PRIMARY KEY,
	value TEXT COLLATE "C" NOT NULL
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
