-- +goose Up
-- Applications that people log in to by this server (OpenID Connect). secret is the SHA-256 of a
-- random text, NULL of a public client; lists have one to a line.
CREATE TABLE identity_applications (
	id               TEXT COLLATE "C" PRIMARY KEY,
	name             TEXT COLLATE "C" NOT NULL,
	secret           BYTEA,
	redirects        TEXT COLLATE "C" NOT NULL,
	logout_redirects TEXT COLLATE "C" NOT NULL,
	logout_uri       TEXT COLLATE "C" NOT NULL,
	scopes           TEXT COLLATE "C" NOT NULL,
	level            BIGINT NOT NULL,
	members          TEXT COLLATE "C" NOT NULL,
	consent          BOOLEAN NOT NULL,
	factor           BOOLEAN NOT NULL,
	algorithm        TEXT COLLATE "C" NOT NULL,
	created_by       TEXT COLLATE "C" NOT NULL,
	created_at       BIGINT NOT NULL,
	changed_at       BIGINT NOT NULL
);

-- What people have let applications know.
CREATE TABLE identity_application_users (
	application TEXT COLLATE "C" NOT NULL REFERENCES identity_applications (id) ON DELETE CASCADE,
	user_id     TEXT COLLATE "C" NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	scopes      TEXT COLLATE "C" NOT NULL,
	agreed      BOOLEAN NOT NULL,
	first_at    BIGINT NOT NULL,
	last_at     BIGINT NOT NULL,
	PRIMARY KEY (application, user_id)
);
CREATE INDEX identity_application_users_by_user ON identity_application_users (user_id);

-- Grants: a log-in of a person at an application, from the code on. No token is here, nor anything
-- that leads to one: they are signed with a key from the seal key over id, generation and end.
CREATE TABLE identity_application_grants (
	id                 TEXT COLLATE "C" PRIMARY KEY,
	application        TEXT COLLATE "C" NOT NULL REFERENCES identity_applications (id) ON DELETE CASCADE,
	user_id            TEXT COLLATE "C" NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	session            TEXT COLLATE "C" NOT NULL,
	sid                TEXT COLLATE "C" NOT NULL,
	scopes             TEXT COLLATE "C" NOT NULL,
	redirect           TEXT COLLATE "C" NOT NULL,
	challenge          TEXT COLLATE "C" NOT NULL,
	nonce              TEXT COLLATE "C" NOT NULL,
	method             TEXT COLLATE "C" NOT NULL,
	factor             TEXT COLLATE "C" NOT NULL,
	credential_version BIGINT NOT NULL,
	generation         BIGINT NOT NULL,
	auth_at            BIGINT NOT NULL,
	created_at         BIGINT NOT NULL,
	used_at            BIGINT NOT NULL,
	expires_at         BIGINT NOT NULL
);
CREATE INDEX identity_application_grants_by_user ON identity_application_grants (user_id, application);
CREATE INDEX identity_application_grants_by_session ON identity_application_grants (session);
CREATE INDEX identity_application_grants_by_end ON identity_application_grants (expires_at);
CREATE INDEX identity_application_grants_by_application ON identity_application_grants (application);

-- The keys that ID tokens are signed with, sealed.
CREATE TABLE identity_application_keys (
	id         TEXT COLLATE "C" PRIMARY KEY,
	algorithm  TEXT COLLATE "C" NOT NULL,
	sealed     BYTEA NOT NULL,
	created_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE identity_application_keys;
DROP TABLE identity_application_grants;
DROP TABLE identity_application_users;
DROP TABLE identity_applications;
