-- +goose Up
-- Subscriptions to the audit log. secret is sealed; position is the last row that is done; events are one to
-- a line.
CREATE TABLE webhooks (
	id         TEXT PRIMARY KEY,
	url        TEXT NOT NULL,
	events     TEXT NOT NULL,
	secret     BLOB NOT NULL,
	active     BOOLEAN NOT NULL,
	note       TEXT NOT NULL,
	created_by TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	position   INTEGER NOT NULL,
	failures   INTEGER NOT NULL,
	failing    INTEGER NOT NULL,
	next_at    INTEGER NOT NULL,
	why        TEXT NOT NULL
);

-- The last tries of each.
CREATE TABLE webhook_deliveries (
	id      INTEGER NOT NULL,
	hook    TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
	message TEXT NOT NULL,
	event   TEXT NOT NULL,
	at      INTEGER NOT NULL,
	status  INTEGER NOT NULL,
	took    INTEGER NOT NULL,
	error   TEXT NOT NULL,
	attempt INTEGER NOT NULL,
	PRIMARY KEY (hook, id)
);

-- +goose Down
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
