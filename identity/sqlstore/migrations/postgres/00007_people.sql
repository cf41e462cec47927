-- +goose Up
-- Whether an account has to choose another password before it goes on.
ALTER TABLE identity_users ADD COLUMN must_change BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX identity_users_by_email ON identity_users (lower(email));

-- What accounts have logged in with, and from where: keyed hashes, and the client in words.
CREATE TABLE identity_devices (
	user_id    TEXT COLLATE "C" NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	near       BYTEA NOT NULL,
	far        BYTEA NOT NULL,
	road       TEXT COLLATE "C" NOT NULL,
	token      TEXT COLLATE "C" NOT NULL,
	client     TEXT COLLATE "C" NOT NULL,
	first_seen BIGINT NOT NULL,
	last_seen  BIGINT NOT NULL,
	PRIMARY KEY (user_id, near)
);
CREATE INDEX identity_devices_by_time ON identity_devices (last_seen);

-- Invitations, and links that set a password. The code itself is nowhere: hash is its SHA-256.
CREATE TABLE identity_invitations (
	id                 TEXT COLLATE "C" PRIMARY KEY,
	hash               BYTEA NOT NULL,
	kind               TEXT COLLATE "C" NOT NULL,
	domain             TEXT COLLATE "C" NOT NULL,
	user_id            TEXT COLLATE "C" NOT NULL,
	credential_version BIGINT NOT NULL,
	level              BIGINT NOT NULL,
	member_of          TEXT COLLATE "C" NOT NULL,
	contact            BOOLEAN NOT NULL,
	note               TEXT COLLATE "C" NOT NULL,
	uses               BIGINT NOT NULL,
	used               BIGINT NOT NULL,
	created_by         TEXT COLLATE "C" NOT NULL,
	creator            TEXT COLLATE "C" NOT NULL,
	created_at         BIGINT NOT NULL,
	expires_at         BIGINT NOT NULL,
	revoked_at         BIGINT NOT NULL
);
CREATE INDEX identity_invitations_by_time ON identity_invitations (created_at, id);
CREATE INDEX identity_invitations_by_user ON identity_invitations (user_id);
CREATE INDEX identity_invitations_by_creator ON identity_invitations (creator);

CREATE TABLE identity_invitation_uses (
	invitation TEXT COLLATE "C" NOT NULL REFERENCES identity_invitations (id) ON DELETE CASCADE,
	ordinal    BIGINT NOT NULL,
	user_id    TEXT COLLATE "C" NOT NULL,
	login      TEXT COLLATE "C" NOT NULL,
	via        TEXT COLLATE "C" NOT NULL,
	remote     TEXT COLLATE "C" NOT NULL,
	used_at    BIGINT NOT NULL,
	PRIMARY KEY (invitation, ordinal)
);

-- Mails that wait to be sent; what they say is sealed.
CREATE TABLE identity_mails (
	id         TEXT COLLATE "C" PRIMARY KEY,
	sealed     BYTEA NOT NULL,
	tries      BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	due_at     BIGINT NOT NULL
);
CREATE INDEX identity_mails_by_due ON identity_mails (due_at);

-- +goose Down
DROP TABLE identity_mails;
DROP TABLE identity_invitation_uses;
DROP TABLE identity_invitations;
DROP TABLE identity_devices;
DROP INDEX identity_users_by_email;
ALTER TABLE identity_users DROP COLUMN must_change;
