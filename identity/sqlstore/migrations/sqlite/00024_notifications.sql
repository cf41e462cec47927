-- +goose Up
-- What people are told of their accounts, and by which roads they want to hear of what.
CREATE TABLE identity_notifications (
	user_id TEXT NOT NULL,
	id      INTEGER NOT NULL,
	kind    TEXT NOT NULL,
	at      INTEGER NOT NULL,
	seen    INTEGER NOT NULL,
	about   TEXT NOT NULL,
	PRIMARY KEY (user_id, id)
) WITHOUT ROWID;
CREATE INDEX identity_notifications_by_at ON identity_notifications (at);
CREATE INDEX identity_notifications_unseen ON identity_notifications (user_id) WHERE seen = 0;
CREATE TABLE identity_notice_choices (
	user_id TEXT NOT NULL,
	kind    TEXT NOT NULL,
	ways    INTEGER NOT NULL,
	PRIMARY KEY (user_id, kind)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE identity_notice_choices;
DROP TABLE identity_notifications;
