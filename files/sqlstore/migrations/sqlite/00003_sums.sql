-- +goose Up
CREATE TABLE file_sums (
	tree      TEXT NOT NULL,
	file      TEXT NOT NULL,
	algorithm TEXT NOT NULL,
	state     TEXT NOT NULL,
	sum       BLOB NOT NULL,
	put_at    TIMESTAMP NOT NULL,
	PRIMARY KEY (tree, file, algorithm)
);
CREATE INDEX file_sums_by_time ON file_sums (put_at);

-- +goose Down
DROP TABLE file_sums;
