// Package acme gets certificates from an authority and renews them, an order for each name: so one name
// that fails hurts no other. Package certs keeps and shows them.
//
// | specification | state |
// |---|---|
// | RFC 8555: accounts, orders, HTTP-01 | done; by acmez, the engine of certmagic |
// | RFC 8555 section 7.3.4: external account binding | done |
// | RFC 8555 section 8.4: DNS-01, and with it wildcards | not done |
// | RFC 8737: TLS-ALPN-01 | done |
// | RFC 9773: when the authority wants a certificate renewed | done |
package acme
