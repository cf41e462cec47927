// Package api is the one set of operations on a Trivium server, as HTTP: REST at /api/v1 for
// programs, and the same routes for the command line over the control socket or in process.
//
// Every operation is declared with the level that it requires; the guard answers before any
// input is looked at: 401 where no valid credential came, and the same 404 for a level that is
// too low as for a path that does not exist. Input is JSON of at most 1 MB; lists are plain
// arrays, keys snake_case, times RFC 3339 in UTC, sizes in bytes, levels numbers.
//
//	RFC 9457  problem details, with the members code (stable, for programs) and hint
//	RFC 6750  bearer tokens, in the Authorization header alone
//	RFC 7617  Basic: a password or a token in its place
//	RFC 9110  sections 11.6.1 (401 and WWW-Authenticate), 15.5.6 (405 and Allow)
//	OpenAPI 3.1 at /api/v1/openapi.json
package api

//go:generate env TRIVIUM_WRITE_REFERENCE=1 go test -run TestManualIsFresh -count=1 .
