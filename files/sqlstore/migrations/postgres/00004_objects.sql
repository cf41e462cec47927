-- +goose Up
CREATE TABLE object_entries (
	id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	parent      BIGINT NOT NULL,
	name        TEXT COLLATE "C" NOT NULL,
	type        BIGINT NOT NULL,
	size        BIGINT NOT NULL,
	modified_at TIMESTAMPTZ NOT NULL,
	changed_at  TIMESTAMPTZ NOT NULL,
	created_at  TIMESTAMPTZ NOT NULL,
	uid         BIGINT,
	gid         BIGINT,
	mode        BIGINT,
	born_at     TIMESTAMPTZ,
	props       BYTEA,
	target      TEXT COLLATE "C" NOT NULL,
	UNIQUE (parent, name)
);
CREATE TABLE object_chunks (
	entry  BIGINT NOT NULL,
	at     BIGINT NOT NULL,
	size   BIGINT NOT NULL,
	object TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (entry, at)
);
CREATE INDEX object_chunks_by_object ON object_chunks (object);
CREATE TABLE object_garbage (
	object TEXT COLLATE "C" PRIMARY KEY,
	since  TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX object_garbage_by_time ON object_garbage (since);

-- +goose Down
DROP TABLE object_garbage;
DROP TABLE object_chunks;
DROP TABLE object_entries;
