-- +goose Up
CREATE TABLE xmpp_push (
	owner    TEXT NOT NULL,
	jid      TEXT NOT NULL,
	node     TEXT NOT NULL,
	resource TEXT NOT NULL,
	options  BLOB,
	faults   INTEGER NOT NULL,
	named_at INTEGER NOT NULL, -- microseconds
	PRIMARY KEY (owner, jid, node)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE xmpp_push;
