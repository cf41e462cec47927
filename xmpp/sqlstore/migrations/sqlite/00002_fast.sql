-- +goose Up
CREATE TABLE xmpp_fast (
	owner           TEXT    NOT NULL,
	client          TEXT    NOT NULL,
	software        TEXT    NOT NULL,
	device          TEXT    NOT NULL,
	mechanism       TEXT    NOT NULL,
	version         INTEGER NOT NULL,
	current_nonce   TEXT    NOT NULL, -- '': no token
	current_expires INTEGER NOT NULL, -- seconds since 1970
	next_nonce      TEXT    NOT NULL,
	next_expires    INTEGER NOT NULL,
	uses            INTEGER NOT NULL,
	first_seen      INTEGER NOT NULL,
	last_seen       INTEGER NOT NULL,
	PRIMARY KEY (owner, client)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE xmpp_fast;
