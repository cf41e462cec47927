-- +goose Up
-- Certificates by which the clients of an account log in. Several accounts may have the same one.
CREATE TABLE identity_certificates (
	user_id       TEXT COLLATE "C"    NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	fingerprint   TEXT COLLATE "C"    NOT NULL, -- SHA-256 of der in hexadecimal
	label         TEXT COLLATE "C"    NOT NULL,
	der           BYTEA   NOT NULL,
	manages       BOOLEAN NOT NULL,
	added_at      BIGINT  NOT NULL,
	used_at       BIGINT  NOT NULL,
	used_protocol TEXT COLLATE "C"    NOT NULL,
	used_remote   TEXT COLLATE "C"    NOT NULL,
	PRIMARY KEY (user_id, fingerprint),
	UNIQUE (user_id, label)
);
CREATE INDEX identity_certificates_by_fingerprint ON identity_certificates (fingerprint);
-- The certificate by which a browser session was opened, and until when it is good.
ALTER TABLE identity_browser_sessions ADD COLUMN certificate TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE identity_browser_sessions ADD COLUMN certificate_vouched BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE identity_browser_sessions ADD COLUMN certificate_until BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE identity_browser_sessions DROP COLUMN certificate_until;
ALTER TABLE identity_browser_sessions DROP COLUMN certificate_vouched;
ALTER TABLE identity_browser_sessions DROP COLUMN certificate;
DROP TABLE identity_certificates;
