-- +goose Up
CREATE TABLE tokens (
	id            TEXT PRIMARY KEY,
	secret_hash   BLOB NOT NULL,
	user_id       TEXT NOT NULL,
	jid           TEXT NOT NULL,
	label         TEXT NOT NULL,
	scopes        TEXT NOT NULL,
	path          TEXT NOT NULL,
	from_prefixes TEXT NOT NULL,
	stored_key    BLOB,
	server_key    BLOB,
	created_at    TIMESTAMP NOT NULL,
	expires_at    TIMESTAMP,
	used_at       TIMESTAMP,
	used_remote   TEXT NOT NULL DEFAULT '',
	used_protocol TEXT NOT NULL DEFAULT '',
	used_agent    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX tokens_by_user ON tokens (user_id, created_at);

-- +goose Down
DROP TABLE tokens;
