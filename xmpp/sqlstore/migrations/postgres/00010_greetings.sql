-- +goose Up
-- What is told to people, by kind, and which of a kind an account was told last.
CREATE TABLE xmpp_greetings (
	kind   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	series TEXT COLLATE "C" NOT NULL,
	body   TEXT COLLATE "C" NOT NULL,
	set_at BIGINT NOT NULL
);
CREATE TABLE xmpp_greeted (
	owner  TEXT COLLATE "C" NOT NULL,
	kind   TEXT COLLATE "C" NOT NULL,
	series TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (owner, kind)
);

-- +goose Down
DROP TABLE xmpp_greeted;
DROP TABLE xmpp_greetings;
