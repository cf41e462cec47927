-- +goose Up
CREATE TABLE file_moves (
	id     TEXT COLLATE "C" PRIMARY KEY,
	tree   TEXT COLLATE "C" NOT NULL,
	source TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL,
	entry  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX file_moves_by_tree ON file_moves (tree);
ALTER TABLE file_versions ADD COLUMN move_id TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE file_versions DROP COLUMN move_id;
DROP TABLE file_moves;
