-- +goose Up
CREATE TABLE file_moves (
	id     TEXT PRIMARY KEY,
	tree   TEXT NOT NULL,
	source TEXT NOT NULL,
	target TEXT NOT NULL,
	entry  TEXT NOT NULL
);
CREATE INDEX file_moves_by_tree ON file_moves (tree);
ALTER TABLE file_versions ADD COLUMN move_id TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE file_versions DROP COLUMN move_id;
DROP TABLE file_moves;
