-- +goose Up
-- Rules of the policy. A rule is narrowed to at most one of user, group and class; '' and 0 are none. The
-- counter 'rules' is the change sequence of their last change.
CREATE TABLE identity_rules (
	resource TEXT COLLATE "C" NOT NULL,
	user_id  TEXT COLLATE "C" NOT NULL,
	gid      BIGINT NOT NULL,
	class    TEXT COLLATE "C" NOT NULL,
	level    BIGINT NOT NULL,
	note     TEXT COLLATE "C" NOT NULL,
	actor    TEXT COLLATE "C" NOT NULL,
	at       BIGINT NOT NULL,
	PRIMARY KEY (resource, user_id, gid, class)
);
CREATE INDEX identity_rules_by_user ON identity_rules (user_id);
CREATE INDEX identity_rules_by_gid ON identity_rules (gid);
INSERT INTO identity_counters (name, value) VALUES ('rules', 0);

-- +goose Down
DELETE FROM identity_counters WHERE name = 'rules';
DROP TABLE identity_rules;
