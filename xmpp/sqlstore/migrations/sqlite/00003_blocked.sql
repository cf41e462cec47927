-- +goose Up
CREATE TABLE xmpp_blocked (
	owner TEXT NOT NULL,
	jid   TEXT NOT NULL,
	PRIMARY KEY (owner, jid)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE xmpp_blocked;
