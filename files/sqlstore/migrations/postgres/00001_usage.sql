-- +goose Up
CREATE TABLE file_usage (
	tree       TEXT COLLATE "C" PRIMARY KEY,
	bytes      BIGINT NOT NULL,
	entries    BIGINT NOT NULL,
	dirty      BOOLEAN NOT NULL,
	counted_at TIMESTAMPTZ,
	soft_since TIMESTAMPTZ
);

-- +goose Down
DROP TABLE file_usage;
