// Package sqlstore keeps subscriptions of webhooks in a database.
package sqlstore
