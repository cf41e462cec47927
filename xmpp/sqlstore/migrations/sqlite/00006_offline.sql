-- +goose Up
CREATE TABLE xmpp_offline (
	id     INTEGER PRIMARY KEY AUTOINCREMENT, -- grows, and none comes twice
	owner  TEXT    NOT NULL,
	sender TEXT    NOT NULL,
	at     INTEGER NOT NULL, -- microseconds
	stanza BLOB    NOT NULL
);
CREATE INDEX xmpp_offline_owner ON xmpp_offline (owner, id);

-- +goose Down
DROP TABLE xmpp_offline;
