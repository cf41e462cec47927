-- +goose Up
CREATE TABLE file_shares (
	id         TEXT PRIMARY KEY,
	code       TEXT NOT NULL UNIQUE,
	owner      TEXT NOT NULL,
	path       TEXT NOT NULL,
	canonical  TEXT NOT NULL,
	folder     BOOLEAN NOT NULL,
	box        BOOLEAN NOT NULL,
	note       TEXT NOT NULL,
	salt       BLOB NOT NULL,
	hash       BLOB NOT NULL,
	created_at TIMESTAMP NOT NULL,
	expires_at TIMESTAMP,
	most       BIGINT NOT NULL,
	used       BIGINT NOT NULL
);
CREATE INDEX file_shares_by_owner ON file_shares (owner, created_at);

-- +goose Down
DROP TABLE file_shares;
