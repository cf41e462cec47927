package identity

import "testing"

// FuzzPlainNames: what is taken as it stands is what the whole way through PRECIS and IDNA leads to.
func FuzzPlainNames(f *testing.F) {
	for _, s := range []string{"", "alice", "a.b+c-d", "-a", ".a", "Alice", "example.org", "xn--bcher-kva.example", "a--b.c", "a-.b", "-a.b", "a..b", "a.", "192.0.2.7", "a_b.c", "1.2", "example.org.",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", "a.b-c.d-e", "a-b-c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if isPlainName(s) {
			if n, err := parseUserName(s); err != nil || string(n) != s {
				t.Fatalf("%q is the name %q, %v", s, n, err)
			}
		}
		if isPlainDomain(s) {
			if d, err := parseDomain(s); err != nil || d != s {
				t.Fatalf("%q is the domain %q, %v", s, d, err)
			}
		}
	})
}
