// Package proftpd reads the <Limit> sections of a ProFTPD configuration and says them as rules of the
// access policy.
//
// What is read: <Limit COMMAND...> at the top, in <Global>, <VirtualHost>, <Directory> and <Anonymous>,
// with Order, Allow, Deny, AllowAll, DenyAll, AllowUser, DenyUser, AllowGroup, DenyGroup, AllowClass and
// DenyClass. What our rules cannot say, or say otherwise, is listed line by line and left out: nothing is
// said by half. Addresses become rules only where a class of the configuration has the same ones.
package proftpd
