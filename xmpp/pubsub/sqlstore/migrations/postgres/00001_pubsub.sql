-- +goose Up
CREATE TABLE pubsub_nodes (
	owner   TEXT COLLATE "C"    NOT NULL,
	name    TEXT COLLATE "C"    NOT NULL,
	jid     TEXT COLLATE "C"    NOT NULL,
	config  TEXT COLLATE "C"    NOT NULL, -- JSON
	greets  BIGINT NOT NULL, -- 1: the last item goes to who comes online
	created BIGINT NOT NULL, -- Unix seconds
	items   BIGINT NOT NULL,
	bytes   BIGINT NOT NULL,
	PRIMARY KEY (owner, name)
);
CREATE INDEX pubsub_greeting ON pubsub_nodes (jid) WHERE greets = 1;

CREATE TABLE pubsub_items (
	owner     TEXT COLLATE "C"    NOT NULL,
	node      TEXT COLLATE "C"    NOT NULL,
	id        TEXT COLLATE "C"    NOT NULL,
	seq       BIGINT NOT NULL,
	payload   BYTEA,
	publisher TEXT COLLATE "C"    NOT NULL,
	published BIGINT NOT NULL, -- Unix milliseconds
	bytes     BIGINT NOT NULL,
	PRIMARY KEY (owner, node, id)
);
CREATE UNIQUE INDEX pubsub_items_order ON pubsub_items (owner, node, seq);

CREATE TABLE pubsub_affiliations (
	owner       TEXT COLLATE "C" NOT NULL,
	node        TEXT COLLATE "C" NOT NULL,
	jid         TEXT COLLATE "C" NOT NULL,
	affiliation TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (owner, node, jid)
);

CREATE TABLE pubsub_subscriptions (
	owner   TEXT COLLATE "C"    NOT NULL,
	node    TEXT COLLATE "C"    NOT NULL,
	jid     TEXT COLLATE "C"    NOT NULL,
	bare    TEXT COLLATE "C"    NOT NULL,
	account TEXT COLLATE "C"    NOT NULL,
	pending BIGINT NOT NULL,
	PRIMARY KEY (owner, node, jid)
);
CREATE INDEX pubsub_subscribers ON pubsub_subscriptions (account);
CREATE INDEX pubsub_subscriber ON pubsub_subscriptions (owner, bare);

-- +goose Down
DROP TABLE pubsub_subscriptions;
DROP TABLE pubsub_affiliations;
DROP TABLE pubsub_items;
DROP TABLE pubsub_nodes;
