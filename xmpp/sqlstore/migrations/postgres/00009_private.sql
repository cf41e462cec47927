-- +goose Up
CREATE TABLE xmpp_private (
	owner TEXT COLLATE "C" NOT NULL,
	space TEXT COLLATE "C" NOT NULL,
	local TEXT COLLATE "C" NOT NULL,
	xml   BYTEA NOT NULL,
	PRIMARY KEY (owner, space, local)
);

-- +goose Down
DROP TABLE xmpp_private;
