-- +goose Up
CREATE TABLE pubsub_nodes (
	owner   TEXT    NOT NULL,
	name    TEXT    NOT NULL,
	jid     TEXT    NOT NULL,
	config  TEXT    NOT NULL, -- JSON
	greets  INTEGER NOT NULL, -- 1: the last item goes to who comes online
	created INTEGER NOT NULL, -- Unix seconds
	items   INTEGER NOT NULL,
	bytes   INTEGER NOT NULL,
	PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE INDEX pubsub_greeting ON pubsub_nodes (jid) WHERE greets = 1;

CREATE TABLE pubsub_items (
	owner     TEXT    NOT NULL,
	node      TEXT    NOT NULL,
	id        TEXT    NOT NULL,
	seq       INTEGER NOT NULL,
	payload   BLOB,
	publisher TEXT    NOT NULL,
	published INTEGER NOT NULL, -- Unix milliseconds
	bytes     INTEGER NOT NULL,
	PRIMARY KEY (owner, node, id)
);
CREATE UNIQUE INDEX pubsub_items_order ON pubsub_items (owner, node, seq);

CREATE TABLE pubsub_affiliations (
	owner       TEXT NOT NULL,
	node        TEXT NOT NULL,
	jid         TEXT NOT NULL,
	affiliation TEXT NOT NULL,
	PRIMARY KEY (owner, node, jid)
) WITHOUT ROWID;

CREATE TABLE pubsub_subscriptions (
	owner   TEXT    NOT NULL,
	node    TEXT    NOT NULL,
	jid     TEXT    NOT NULL,
	bare    TEXT    NOT NULL,
	account TEXT    NOT NULL,
	pending INTEGER NOT NULL,
	PRIMARY KEY (owner, node, jid)
) WITHOUT ROWID;
CREATE INDEX pubsub_subscribers ON pubsub_subscriptions (account);
CREATE INDEX pubsub_subscriber ON pubsub_subscriptions (owner, bare);

-- +goose Down
DROP TABLE pubsub_subscriptions;
DROP TABLE pubsub_affiliations;
DROP TABLE pubsub_items;
DROP TABLE pubsub_nodes;
