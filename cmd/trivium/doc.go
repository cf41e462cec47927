// Command trivium is the server and its command line. Every command but serve and config is an
// HTTP client of the one set of operations in package web/api: of the running server over the
// control socket, or of the same handler in this process while the server is stopped.
//
// Results go to stdout, messages to stderr. Exit codes: 0 done, 1 failed, 2 usage,
// 3 configuration invalid, 4 not found, 5 exists already, 6 refused or not confirmed, 7 server
// not running, 130 interrupted. docs/cli.md lists all commands.
package main

//go:generate go run . reference ../../docs/cli.md
