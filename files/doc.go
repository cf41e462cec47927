// Package files is the one file tree that FTP, web, WebDAV and uploads from chat share: views,
// permissions, quota, unfinished uploads and events.
//
// A Service holds what is common; Service.View gives one session its Tree. Paths of a Tree are
// absolute, clean and slash-separated, as the client sees them: "/" is the home, "/groups/NAME"
// a group's folder, "/pub" what is public. An anonymous session sees "/pub" alone, and "/" lists
// it. A Mount of the settings shows beside these, by its own path. Canonical paths (policy, token
// bounds, events) name the home too: "/home/alice/a.txt"; for a user of another than the default
// domain "/home/alice@example.net/a.txt".
//
// Who may do what is decided in perm.go and nowhere else: by the session's level (a path whose
// level is too low does not exist), by what its token grants, and by POSIX permission bits
// against the session's uid and gids. Trees are reached through a Backend, which knows single
// names below opened directories, follows no link and decides nothing; files/local is the one on
// disk. Links are followed here, inside their own mount alone.
//
// An upload is written to a part, out of every listing, and takes its name when Upload.Commit has
// made it durable, so nobody sees half a file. There is one part for an account and path, and one
// writer of a path at a time.
//
// What each tree holds is counted in memory (ledger.go), charged before it is written (charge.go) and
// bounded (limit.go). The counts outlive the process in a UsageStore (settle.go); a walk is the truth
// (count.go, recount.go).
//
//	RFC 959   section 4.1.3   STOR, APPE, REST, ALLO, RNFR/RNTO: Create, Upload, Rename
//	RFC 3659  section 7.5.5   the perm fact: Access
//	RFC 3659  section 5       resume of an upload that was cut: Tree.Part, UploadOptions.Offset
package files
