-- +goose Up
CREATE TABLE xmpp_push (
	owner    TEXT COLLATE "C" NOT NULL,
	jid      TEXT COLLATE "C" NOT NULL,
	node     TEXT COLLATE "C" NOT NULL,
	resource TEXT COLLATE "C" NOT NULL,
	options  BYTEA,
	faults   BIGINT NOT NULL,
	named_at BIGINT NOT NULL, -- microseconds
	PRIMARY KEY (owner, jid, node)
);

-- +goose Down
DROP TABLE xmpp_push;
