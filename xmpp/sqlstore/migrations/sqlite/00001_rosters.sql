-- +goose Up
CREATE TABLE xmpp_rosters (
	owner   TEXT NOT NULL PRIMARY KEY,
	version TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE xmpp_contacts (
	owner   TEXT    NOT NULL,
	jid     TEXT    NOT NULL,
	name    TEXT    NOT NULL,
	groups  TEXT    NOT NULL, -- JSON array of strings
	state   INTEGER NOT NULL,
	listed  INTEGER NOT NULL,
	request BLOB,
	PRIMARY KEY (owner, jid)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE xmpp_contacts;
DROP TABLE xmpp_rosters;
