-- +goose Up
-- What lists of a great many accounts are read by.
CREATE INDEX identity_users_by_level ON identity_users (level, login, domain);
CREATE INDEX identity_users_by_state ON identity_users (state, login, domain) WHERE state <> 'active';
CREATE INDEX identity_users_by_factor ON identity_users (login, domain) WHERE (factors % 8) <> 0;
CREATE INDEX identity_users_by_last_login ON identity_users (last_login) WHERE last_login > 0;
CREATE INDEX identity_members_by_manager ON identity_members (gid) WHERE manager;

-- +goose StatementBegin
-- Which accounts have which three characters in a row in their text, by uid. The text itself is not in
-- it again.
CREATE VIRTUAL TABLE identity_user_search USING fts5 (search, content = '', contentless_delete = 1, tokenize = 'trigram', detail = 'none');
-- +goose StatementEnd
-- +goose StatementBegin
INSERT INTO identity_user_search (rowid, search) SELECT uid, search FROM identity_users;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER identity_user_search_new AFTER INSERT ON identity_users BEGIN
	INSERT INTO identity_user_search (rowid, search) VALUES (NEW.uid, NEW.search);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER identity_user_search_other AFTER UPDATE OF uid, search ON identity_users
WHEN OLD.uid <> NEW.uid OR OLD.search <> NEW.search BEGIN
	DELETE FROM identity_user_search WHERE rowid = OLD.uid;
	INSERT INTO identity_user_search (rowid, search) VALUES (NEW.uid, NEW.search);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER identity_user_search_gone AFTER DELETE ON identity_users BEGIN
	DELETE FROM identity_user_search WHERE rowid = OLD.uid;
END;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TRIGGER identity_user_search_gone;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER identity_user_search_other;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TRIGGER identity_user_search_new;
-- +goose StatementEnd
-- +goose StatementBegin
DROP TABLE identity_user_search;
-- +goose StatementEnd
DROP INDEX identity_members_by_manager;
DROP INDEX identity_users_by_last_login;
DROP INDEX identity_users_by_factor;
DROP INDEX identity_users_by_state;
DROP INDEX identity_users_by_level;
