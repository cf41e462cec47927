-- +goose Up
CREATE TABLE file_sums (
	tree      TEXT COLLATE "C" NOT NULL,
	file      TEXT COLLATE "C" NOT NULL,
	algorithm TEXT COLLATE "C" NOT NULL,
	state     TEXT COLLATE "C" NOT NULL,
	sum       BYTEA NOT NULL,
	put_at    TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (tree, file, algorithm)
);
CREATE INDEX file_sums_by_time ON file_sums (put_at);

-- +goose Down
DROP TABLE file_sums;
