-- +goose Up
-- What people are told of their accounts, and by which roads they want to hear of what.
CREATE TABLE identity_notifications (
	user_id TEXT COLLATE "C" NOT NULL,
	id      BIGINT NOT NULL,
	kind    TEXT COLLATE "C" NOT NULL,
	at      BIGINT NOT NULL,
	seen    BIGINT NOT NULL,
	about   TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (user_id, id)
);
CREATE INDEX identity_notifications_by_at ON identity_notifications (at);
CREATE INDEX identity_notifications_unseen ON identity_notifications (user_id) WHERE seen = 0;
CREATE TABLE identity_notice_choices (
	user_id TEXT COLLATE "C" NOT NULL,
	kind    TEXT COLLATE "C" NOT NULL,
	ways    BIGINT NOT NULL,
	PRIMARY KEY (user_id, kind)
);

-- +goose Down
DROP TABLE identity_notice_choices;
DROP TABLE identity_notifications;
