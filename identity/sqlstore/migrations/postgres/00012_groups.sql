-- +goose Up
-- What a group is beside a gid, and what an account that is made in it gets: level 0 and quota 0 are the
-- server's defaults.
ALTER TABLE identity_groups ADD COLUMN no_folder BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE identity_groups ADD COLUMN no_roster BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE identity_groups ADD COLUMN room BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE identity_groups ADD COLUMN member_level BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_groups ADD COLUMN member_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_groups ADD COLUMN member_files BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE identity_groups DROP COLUMN member_files;
ALTER TABLE identity_groups DROP COLUMN member_bytes;
ALTER TABLE identity_groups DROP COLUMN member_level;
ALTER TABLE identity_groups DROP COLUMN room;
ALTER TABLE identity_groups DROP COLUMN no_roster;
ALTER TABLE identity_groups DROP COLUMN no_folder;
