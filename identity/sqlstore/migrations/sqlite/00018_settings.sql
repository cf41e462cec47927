-- +goose Up
-- Who chose a value and when; 0 and empty of what the server keeps for itself.
ALTER TABLE identity_settings ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_settings ADD COLUMN changed_by TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE identity_settings DROP COLUMN changed_by;
ALTER TABLE identity_settings DROP COLUMN changed_at;
