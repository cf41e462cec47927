-- +goose Up
CREATE TABLE xmpp_rosters (
	owner   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	version TEXT NOT NULL
);

CREATE TABLE xmpp_contacts (
	owner   TEXT COLLATE "C" NOT NULL,
	jid     TEXT COLLATE "C" NOT NULL,
	name    TEXT    NOT NULL,
	groups  TEXT    NOT NULL, -- JSON array of strings
	state   INTEGER NOT NULL,
	listed  INTEGER NOT NULL,
	request BYTEA,
	PRIMARY KEY (owner, jid)
);

-- +goose Down
DROP TABLE xmpp_contacts;
DROP TABLE xmpp_rosters;
