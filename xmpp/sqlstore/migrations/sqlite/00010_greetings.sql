-- +goose Up
-- What is told to people, by kind, and which of a kind an account was told last.
CREATE TABLE xmpp_greetings (
	kind   TEXT NOT NULL PRIMARY KEY,
	series TEXT NOT NULL,
	body   TEXT NOT NULL,
	set_at INTEGER NOT NULL
);
CREATE TABLE xmpp_greeted (
	owner  TEXT NOT NULL,
	kind   TEXT NOT NULL,
	series TEXT NOT NULL,
	PRIMARY KEY (owner, kind)
);

-- +goose Down
DROP TABLE xmpp_greeted;
DROP TABLE xmpp_greetings;
