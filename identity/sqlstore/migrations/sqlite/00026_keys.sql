-- +goose Up
-- Keys are no shortcuts on the pages.
ALTER TABLE identity_users ADD COLUMN keys_off BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE identity_users DROP COLUMN keys_off;
