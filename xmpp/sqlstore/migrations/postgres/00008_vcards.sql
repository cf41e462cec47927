-- +goose Up
CREATE TABLE xmpp_vcards (
	owner TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	card  BYTEA NOT NULL
);

-- +goose Down
DROP TABLE xmpp_vcards;
