package importer

import (
	"bytes"
	"path/filepath"
	"strings"
)

// Guess tells the format of a file by its name and how it begins; "" where that says nothing. A zip can
// only be the data directory of Prosody.
func Guess(name string, head []byte) Format {
	if len(head) > 4096 {
		head = head[:4096]
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return Prosody
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(head), "\ufeff"))
	line, _, _ := strings.Cut(text, "\n")
	switch {
	case strings.HasPrefix(text, "<"):
		return XEP0227
	case strings.HasPrefix(text, "{"):
		return SFTPGo
	case strings.EqualFold(filepath.Ext(name), ".csv"):
		return CSV
	case strings.Count(line, ":") == 17:
		return PureFTPd
	case strings.Count(line, ":") == 6:
		return Passwd
	}
	return ""
}
