-- +goose Up
CREATE TABLE xmpp_certificates (
	owner       TEXT    NOT NULL,
	name        TEXT    NOT NULL,
	fingerprint TEXT    NOT NULL, -- SHA-256 in hexadecimal
	der         BLOB    NOT NULL,
	manages     INTEGER NOT NULL,
	added       INTEGER NOT NULL, -- seconds since 1970
	PRIMARY KEY (owner, name)
) WITHOUT ROWID;

CREATE UNIQUE INDEX xmpp_certificates_fingerprint ON xmpp_certificates (fingerprint, owner);

-- +goose Down
DROP TABLE xmpp_certificates;
