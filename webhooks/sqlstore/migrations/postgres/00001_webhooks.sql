-- +goose Up
-- Subscriptions to the audit log. secret is sealed; position is the last row that is done; events are one to
-- a line.
CREATE TABLE webhooks (
	id         TEXT COLLATE "C" PRIMARY KEY,
	url        TEXT COLLATE "C" NOT NULL,
	events     TEXT COLLATE "C" NOT NULL,
	secret     BYTEA NOT NULL,
	active     BOOLEAN NOT NULL,
	note       TEXT COLLATE "C" NOT NULL,
	created_by TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	position   BIGINT NOT NULL,
	failures   BIGINT NOT NULL,
	failing    BIGINT NOT NULL,
	next_at    BIGINT NOT NULL,
	why        TEXT COLLATE "C" NOT NULL
);

-- The last tries of each.
CREATE TABLE webhook_deliveries (
	id      BIGINT NOT NULL,
	hook    TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
	message TEXT COLLATE "C" NOT NULL,
	event   TEXT COLLATE "C" NOT NULL,
	at      BIGINT NOT NULL,
	status  BIGINT NOT NULL,
	took    BIGINT NOT NULL,
	error   TEXT COLLATE "C" NOT NULL,
	attempt BIGINT NOT NULL,
	PRIMARY KEY (hook, id)
);

-- +goose Down
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
