-- +goose Up
CREATE TABLE file_usage (
	tree       TEXT PRIMARY KEY,
	bytes      BIGINT NOT NULL,
	entries    BIGINT NOT NULL,
	dirty      BOOLEAN NOT NULL,
	counted_at TIMESTAMP,
	soft_since TIMESTAMP
);

-- +goose Down
DROP TABLE file_usage;
