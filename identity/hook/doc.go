// Package hook asks a program of somebody else's over HTTP who people are: it is an identity.Source
// for what is neither LDAP nor OpenID Connect.
//
// A question is a POST of one JSON object, with its moment and a nonce in it, and signed:
//
//	POST / HTTP/1.1
//	Content-Type: application/json
//	Trivium-Timestamp: 1700000000
//	Trivium-Signature: sha256=<HMAC-SHA-256 of timestamp, ".", body; in hexadecimal>
//
//	{"action":"check","login":"alice","password":"…","nonce":"…","timestamp":1700000000}
//
// action is check, find (no password), list (with cursor) or probe. The answer is 200 and one JSON
// object: {"ok":true,"person":{"id":"7","login":"alice","email":"","name":"","phone":"","uid":0,
// "gid":0,"group":"","groups":[],"disabled":false}}; {"ok":false} for a wrong name or password, or
// a login that nobody has; for list {"ok":true,"people":[…],"cursor":""}, where a cursor that is
// not empty asks for more. What is unknown, too long or of another form is no answer. The answer
// carries a signature of the same kind, over the question's nonce, ".", body, so that nobody in
// between can say yes.
package hook
