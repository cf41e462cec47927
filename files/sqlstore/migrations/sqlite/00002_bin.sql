-- +goose Up
CREATE TABLE file_trash (
	id         TEXT PRIMARY KEY,
	tree       TEXT NOT NULL,
	path       TEXT NOT NULL,
	folder     BOOLEAN NOT NULL,
	bytes      BIGINT NOT NULL,
	entries    BIGINT NOT NULL,
	removed_at TIMESTAMP NOT NULL,
	removed_by TEXT NOT NULL
);
CREATE INDEX file_trash_by_tree ON file_trash (tree, removed_at);
CREATE INDEX file_trash_by_time ON file_trash (removed_at);
CREATE TABLE file_versions (
	id          TEXT PRIMARY KEY,
	tree        TEXT NOT NULL,
	path        TEXT NOT NULL,
	bytes       BIGINT NOT NULL,
	modified_at TIMESTAMP NOT NULL,
	replaced_at TIMESTAMP NOT NULL,
	replaced_by TEXT NOT NULL
);
CREATE INDEX file_versions_by_path ON file_versions (tree, path, replaced_at);
CREATE INDEX file_versions_by_time ON file_versions (tree, replaced_at);

-- +goose Down
DROP TABLE file_versions;
DROP TABLE file_trash;
