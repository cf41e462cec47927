-- +goose Up
CREATE TABLE xmpp_blocked (
	owner TEXT COLLATE "C" NOT NULL,
	jid   TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (owner, jid)
);

-- +goose Down
DROP TABLE xmpp_blocked;
