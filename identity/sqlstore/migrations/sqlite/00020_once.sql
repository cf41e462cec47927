-- +goose Up
-- Requests that came with a key, so that a second one like them does nothing again. print is a keyed hash
-- of the request; answer is sealed, empty while the request is not done.
CREATE TABLE identity_once (
	asker  TEXT NOT NULL,
	key    TEXT NOT NULL,
	print  BLOB NOT NULL,
	answer BLOB NOT NULL,
	at     INTEGER NOT NULL,
	PRIMARY KEY (asker, key)
) WITHOUT ROWID;
CREATE INDEX identity_once_by_at ON identity_once (at);

-- +goose Down
DROP TABLE identity_once;
