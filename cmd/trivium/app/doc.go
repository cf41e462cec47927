// Package app composes the server: it is the only place that knows all the parts, and the only
// one that imports fx. One thin file stands for each part.
//
// The order of start is the order of need: data directory and its lock, store and migrations
// (before fx, whose start has one time limit for all), then inside fx certificates, identity,
// tokens, files, the three roads, the control socket, and last the ready line. Stop is the
// reverse: no new connections, the roads drain, background work writes what it holds back, the
// store closes.
package app
