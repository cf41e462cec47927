-- +goose Up
-- Requests that came with a key, so that a second one like them does nothing again. print is a keyed hash
-- of the request; answer is sealed, empty while the request is not done.
CREATE TABLE identity_once (
	asker  TEXT COLLATE "C" NOT NULL,
	key    TEXT COLLATE "C" NOT NULL,
	print  BYTEA NOT NULL,
	answer BYTEA NOT NULL,
	at     BIGINT NOT NULL,
	PRIMARY KEY (asker, key)
);
CREATE INDEX identity_once_by_at ON identity_once (at);

-- +goose Down
DROP TABLE identity_once;
