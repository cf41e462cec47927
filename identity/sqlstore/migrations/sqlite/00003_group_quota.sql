-- +goose Up
-- Bounds of the folder of a group: 0 is the server's default, -1 no limit.
ALTER TABLE identity_groups ADD COLUMN quota_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_groups ADD COLUMN quota_files BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE identity_groups DROP COLUMN quota_files;
ALTER TABLE identity_groups DROP COLUMN quota_bytes;
