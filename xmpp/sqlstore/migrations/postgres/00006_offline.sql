-- +goose Up
CREATE TABLE xmpp_offline (
	id     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- grows, and none comes twice
	owner  TEXT COLLATE "C" NOT NULL,
	sender TEXT COLLATE "C"   NOT NULL,
	at     BIGINT NOT NULL, -- microseconds
	stanza BYTEA  NOT NULL
);
CREATE INDEX xmpp_offline_owner ON xmpp_offline (owner, id);

-- +goose Down
DROP TABLE xmpp_offline;
