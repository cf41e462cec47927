-- +goose Up
-- What a change has changed, each an object of JSON by name of the field; '' where there is none.
ALTER TABLE identity_audit ADD COLUMN before TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE identity_audit ADD COLUMN after TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE identity_audit DROP COLUMN after;
ALTER TABLE identity_audit DROP COLUMN before;
