-- +goose Up
-- What lists of a great many accounts are read by.
CREATE INDEX identity_users_by_level ON identity_users (level, login, domain);
CREATE INDEX identity_users_by_state ON identity_users (state, login, domain) WHERE state <> 'active';
CREATE INDEX identity_users_by_factor ON identity_users (login, domain) WHERE (factors % 8) <> 0;
CREATE INDEX identity_users_by_last_login ON identity_users (last_login) WHERE last_login > 0;
CREATE INDEX identity_members_by_manager ON identity_members (gid) WHERE manager;

-- +goose StatementBegin
-- Which accounts have which three characters in a row in their text. Where the server lacks pg_trgm, or
-- does not let this role have it, a search reads all texts.
DO $$
BEGIN
	CREATE EXTENSION IF NOT EXISTS pg_trgm;
	CREATE INDEX identity_users_by_text ON identity_users USING gin (search gin_trgm_ops);
EXCEPTION WHEN OTHERS THEN
	RAISE NOTICE 'no index of texts: %', SQLERRM;
END;
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP INDEX IF EXISTS identity_users_by_text;
-- +goose StatementEnd
DROP INDEX identity_members_by_manager;
DROP INDEX identity_users_by_last_login;
DROP INDEX identity_users_by_factor;
DROP INDEX identity_users_by_state;
DROP INDEX identity_users_by_level;
