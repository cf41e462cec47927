-- +goose Up
-- What accounts have beside the password. sealed opens with the server's seal key alone.
CREATE TABLE identity_factors (
	id          TEXT COLLATE "C" PRIMARY KEY,
	user_id     TEXT COLLATE "C" NOT NULL REFERENCES identity_users (id) ON DELETE CASCADE,
	kind        TEXT COLLATE "C" NOT NULL,
	label       TEXT COLLATE "C" NOT NULL,
	credential  TEXT COLLATE "C" UNIQUE,
	sealed      BYTEA,
	counter     BIGINT NOT NULL,
	failures    BIGINT NOT NULL,
	failed_at   BIGINT NOT NULL,
	cloned      BOOLEAN NOT NULL,
	created_at  BIGINT NOT NULL,
	used_at     BIGINT NOT NULL,
	used_remote TEXT COLLATE "C" NOT NULL,
	used_agent  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX identity_factors_by_user ON identity_factors (user_id);
-- The kinds that an account has, as bits, so that a log-in reads them with the account.
ALTER TABLE identity_users ADD COLUMN factors BIGINT NOT NULL DEFAULT 0;
-- By which second factor a browser session was opened.
ALTER TABLE identity_browser_sessions ADD COLUMN factor TEXT COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE identity_browser_sessions DROP COLUMN factor;
ALTER TABLE identity_users DROP COLUMN factors;
DROP TABLE identity_factors;
