-- +goose Up
CREATE TABLE xmpp_fast (
	owner           TEXT COLLATE "C" NOT NULL,
	client          TEXT COLLATE "C" NOT NULL,
	software        TEXT COLLATE "C"   NOT NULL,
	device          TEXT COLLATE "C"   NOT NULL,
	mechanism       TEXT COLLATE "C"   NOT NULL,
	version         BIGINT NOT NULL,
	current_nonce   TEXT COLLATE "C"   NOT NULL, -- '': no token
	current_expires BIGINT NOT NULL, -- seconds since 1970
	next_nonce      TEXT COLLATE "C"   NOT NULL,
	next_expires    BIGINT NOT NULL,
	uses            BIGINT NOT NULL,
	first_seen      BIGINT NOT NULL,
	last_seen       BIGINT NOT NULL,
	PRIMARY KEY (owner, client)
);

-- +goose Down
DROP TABLE xmpp_fast;
