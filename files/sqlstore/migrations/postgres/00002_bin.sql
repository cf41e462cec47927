-- +goose Up
CREATE TABLE file_trash (
	id         TEXT COLLATE "C" PRIMARY KEY,
	tree       TEXT COLLATE "C" NOT NULL,
	path       TEXT COLLATE "C" NOT NULL,
	folder     BOOLEAN NOT NULL,
	bytes      BIGINT NOT NULL,
	entries    BIGINT NOT NULL,
	removed_at TIMESTAMPTZ NOT NULL,
	removed_by TEXT COLLATE "C" NOT NULL
);
CREATE INDEX file_trash_by_tree ON file_trash (tree, removed_at);
CREATE INDEX file_trash_by_time ON file_trash (removed_at);
CREATE TABLE file_versions (
	id          TEXT COLLATE "C" PRIMARY KEY,
	tree        TEXT COLLATE "C" NOT NULL,
	path        TEXT COLLATE "C" NOT NULL,
	bytes       BIGINT NOT NULL,
	modified_at TIMESTAMPTZ NOT NULL,
	replaced_at TIMESTAMPTZ NOT NULL,
	replaced_by TEXT COLLATE "C" NOT NULL
);
CREATE INDEX file_versions_by_path ON file_versions (tree, path, replaced_at);
CREATE INDEX file_versions_by_time ON file_versions (tree, replaced_at);

-- +goose Down
DROP TABLE file_versions;
DROP TABLE file_trash;
