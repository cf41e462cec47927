-- +goose Up
-- Bounds of an account on the file road: 0 is the server's default, -1 no limit.
ALTER TABLE identity_users ADD COLUMN upload_rate BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_users ADD COLUMN download_rate BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_users ADD COLUMN transfers BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE identity_users DROP COLUMN transfers;
ALTER TABLE identity_users DROP COLUMN download_rate;
ALTER TABLE identity_users DROP COLUMN upload_rate;
