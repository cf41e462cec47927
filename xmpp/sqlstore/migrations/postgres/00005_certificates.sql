-- +goose Up
CREATE TABLE xmpp_certificates (
	owner       TEXT COLLATE "C" NOT NULL,
	name        TEXT COLLATE "C" NOT NULL,
	fingerprint TEXT COLLATE "C" NOT NULL, -- SHA-256 in hexadecimal
	der         BYTEA   NOT NULL,
	manages     BIGINT NOT NULL,
	added       BIGINT  NOT NULL, -- seconds since 1970
	PRIMARY KEY (owner, name)
);

CREATE UNIQUE INDEX xmpp_certificates_fingerprint ON xmpp_certificates (fingerprint, owner);

-- +goose Down
DROP TABLE xmpp_certificates;
