-- +goose Up
-- The audit log as a chain (docs/audit.md). Whoever appends takes the row of the head, which is locked
-- until the commit, so the chain is one however many processes write. The log is append-only: rows go
-- only where a gap says that they were removed.
ALTER TABLE identity_audit ADD COLUMN host BYTEA;
ALTER TABLE identity_audit ADD COLUMN chain BYTEA;
CREATE INDEX identity_audit_by_event ON identity_audit (event, at, id);
CREATE INDEX identity_audit_by_host ON identity_audit (host, at, id);

CREATE TABLE identity_audit_head (
	one   BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
	began BIGINT NOT NULL,
	id    BIGINT NOT NULL,
	chain BYTEA,
	mac   BYTEA
);
INSERT INTO identity_audit_head (one, began, id) SELECT 1, COALESCE(MAX(id), 0), COALESCE(MAX(id), 0) FROM identity_audit;

CREATE TABLE identity_audit_gaps (
	first_id     BIGINT NOT NULL PRIMARY KEY,
	last_id      BIGINT NOT NULL,
	at           BIGINT NOT NULL,
	before_chain BYTEA,
	after_chain  BYTEA,
	mac          BYTEA NOT NULL
);

-- +goose StatementBegin
ALTER TABLE identity_audit ALTER COLUMN id DROP IDENTITY;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION identity_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'the audit log is append-only';
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER identity_audit_unchanged BEFORE UPDATE ON identity_audit FOR EACH ROW EXECUTE FUNCTION identity_audit_refuse();
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER identity_audit_whole BEFORE TRUNCATE ON identity_audit FOR EACH STATEMENT EXECUTE FUNCTION identity_audit_refuse();
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION identity_audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF COALESCE((SELECT last_id FROM identity_audit_gaps WHERE first_id <= OLD.id ORDER BY first_id DESC LIMIT 1), -1) < OLD.id THEN
		RAISE EXCEPTION 'the audit log is append-only';
	END IF;
	RETURN OLD;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER identity_audit_kept BEFORE DELETE ON identity_audit FOR EACH ROW EXECUTE FUNCTION identity_audit_keep();
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TRIGGER identity_audit_kept ON identity_audit;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER identity_audit_whole ON identity_audit;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER identity_audit_unchanged ON identity_audit;
-- +goose StatementEnd
-- +goose StatementBegin
DROP FUNCTION identity_audit_keep();
-- +goose StatementEnd
-- +goose StatementBegin
DROP FUNCTION identity_audit_refuse();
-- +goose StatementEnd
DROP TABLE identity_audit_gaps;
DROP TABLE identity_audit_head;
DROP INDEX identity_audit_by_host;
DROP INDEX identity_audit_by_event;
ALTER TABLE identity_audit DROP COLUMN chain;
ALTER TABLE identity_audit DROP COLUMN host;
