// Package e2e tells stories and attacks from outside: the real binary, real sockets, real
// clients (curl, lftp, Python's ftplib, slixmpp, aioxmpp, go-sendxmpp, Profanity, converse.js,
// Chromium). It imports nothing of ours but what starts a
// PostgreSQL server; what it knows is the wire and the command line.
//
// testdata/*.txtar are scripts of testscript with these commands beside its own:
//
//	serve [flags]          starts the server in $WORK/data on free ports and waits for its ready
//	                       line; sets $FTP, $WEB, $XMPP, $XMPPS (host:port) and $SETUP
//	shutdown               SIGTERM; the server must end with status 0 (testscript has a stop of its own)
//	kill9                  SIGKILL
//	talk ADDR FILE         speaks to ADDR as FILE says: "> text" sends a line (with \r\n and the
//	                       escapes of Go; {a*5000} is a letter so many times), ">> text" sends without line end, "< regexp" reads a
//	                       line, "<< regexp" reads until all that was read matches, "tls [alpn]"
//	                       starts TLS, "eof" expects the end
//	retry DURATION CMD…    runs a program until it succeeds
//
// `exec trivium …` is the command line on the same data directory. Programs that are not
// installed skip the script, which says so.
package e2e
