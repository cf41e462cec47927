-- +goose Up
CREATE TABLE xmpp_private (
	owner TEXT NOT NULL,
	space TEXT NOT NULL,
	local TEXT NOT NULL,
	xml   BLOB NOT NULL,
	PRIMARY KEY (owner, space, local)
);

-- +goose Down
DROP TABLE xmpp_private;
