package identity

import "strings"

// maxClientName bounds the name of a client in bytes.
const maxClientName = 60

// ClientName names a browser and its system from an HTTP User-Agent; any other client as it calls
// itself.
func ClientName(ua string) string {
	if !strings.HasPrefix(ua, "Mozilla/") {
		return clip(ua, maxClientName)
	}
	browser, system := "Browser", ""
	for _, b := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"HeadlessChrome/", "Chrome (headless)"},
		{"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(ua, b[0]) {
			browser = b[1]
			break
		}
	}
	for _, o := range [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"},
		{"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}} {
		if strings.Contains(ua, o[0]) {
			system = " on " + o[1]
			break
		}
	}
	return browser + system
}

// clientFamily is ClientName without the version, so that an update is no other client.
func clientFamily(ua string) string {
	name := ClientName(plain(ua))
	for i, r := range name {
		if r == '/' || r >= '0' && r <= '9' && i > 0 {
			name = name[:i]
			break
		}
	}
	return strings.TrimRight(name, " /v.-_(")
}
