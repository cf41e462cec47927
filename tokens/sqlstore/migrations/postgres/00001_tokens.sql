-- +goose Up
CREATE TABLE tokens (
	id            TEXT COLLATE "C" PRIMARY KEY,
	secret_hash   BYTEA NOT NULL,
	user_id       TEXT COLLATE "C" NOT NULL,
	jid           TEXT COLLATE "C" NOT NULL,
	label         TEXT COLLATE "C" NOT NULL,
	scopes        TEXT COLLATE "C" NOT NULL,
	path          TEXT COLLATE "C" NOT NULL,
	from_prefixes TEXT COLLATE "C" NOT NULL,
	stored_key    BYTEA,
	server_key    BYTEA,
	created_at    TIMESTAMPTZ NOT NULL,
	expires_at    TIMESTAMPTZ,
	used_at       TIMESTAMPTZ,
	used_remote   TEXT COLLATE "C" NOT NULL DEFAULT '',
	used_protocol TEXT COLLATE "C" NOT NULL DEFAULT '',
	used_agent    TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX tokens_by_user ON tokens (user_id, created_at);

-- +goose Down
DROP TABLE tokens;
