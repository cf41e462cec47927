-- +goose Up
CREATE TABLE xmpp_rosters (
	owner   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	version TEXT COLLATE "C" NOT NULL
);

CREATE TABLE xmpp_contacts (
	owner   TEXT COLLATE "C" NOT NULL,
	jid     TEXT COLLATE "C" NOT NULL,
	name    TEXT COLLATE "C"    NOT NULL,
	groups  TEXT COLLATE "C"    NOT NULL, -- JSON array of strings
	state   BIGINT NOT NULL,
	listed  BIGINT NOT NULL,
	request BYTEA,
	PRIMARY KEY (owner, jid)
);

-- +goose Down
DROP TABLE xmpp_contacts;
DROP TABLE xmpp_rosters;
