-- +goose Up
CREATE TABLE xmpp_vcards (
	owner TEXT NOT NULL PRIMARY KEY,
	card  BLOB NOT NULL
);

-- +goose Down
DROP TABLE xmpp_vcards;
