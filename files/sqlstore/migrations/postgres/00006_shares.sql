-- +goose Up
CREATE TABLE file_shares (
	id         TEXT COLLATE "C" PRIMARY KEY,
	code       TEXT COLLATE "C" NOT NULL UNIQUE,
	owner      TEXT COLLATE "C" NOT NULL,
	path       TEXT COLLATE "C" NOT NULL,
	canonical  TEXT COLLATE "C" NOT NULL,
	folder     BOOLEAN NOT NULL,
	box        BOOLEAN NOT NULL,
	note       TEXT COLLATE "C" NOT NULL,
	salt       BYTEA NOT NULL,
	hash       BYTEA NOT NULL,
	created_at TIMESTAMPTZ NOT NULL,
	expires_at TIMESTAMPTZ,
	most       BIGINT NOT NULL,
	used       BIGINT NOT NULL
);
CREATE INDEX file_shares_by_owner ON file_shares (owner, created_at);

-- +goose Down
DROP TABLE file_shares;
