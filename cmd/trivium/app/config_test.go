package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trivium/config"
)

// TestPolicyOfConfig: a rule that cannot be read is said once and in plain words, and one that
// nothing asks for is said at all.
func TestPolicyOfConfig(t *testing.T) {
	for _, tt := range []struct{ name, text, fault, warning string }{
		{"good", `"ftp:STOR:/pub/**" = "staff"`, "", ""},
		{"a group", `"ftp:WRITE:/pub/**" = "staff"`, "", ""},
		{"every verb", `"ftp:**" = "staff"`, "", ""},
		{"site to site", `"ftp:FXP" = "staff"`, "", ""},
		{"of SITE", `"ftp:site rmdir -r" = "staff"`, "", ""},
		{"no such verb", `"ftp:NOPE" = "staff"`, "", "FTP has no rules for NOPE"},
		{"no such command of SITE", `"ftp:SITE NOPE:/x" = "staff"`, "", "FTP has no rules for SITE NOPE"},
		{"the rule of another verb", `"ftp:XMKD:/x" = "staff"`, "", "FTP has no rules for XMKD"},
		{"a path without a slash", `"ftp:STOR:pub" = "staff"`, `policy: "ftp:STOR:pub": the path behind a verb begins with a slash`, ""},
		{"no name", `"ftp:STOR for user:" = "staff"`, `policy: "ftp:STOR for user:": "" is not a name;`, ""},
		{"no kind", `"x:y" = "staff"`, `policy: "x:y": it begins with no kind`, ""},
		{"no class", `"ftp:STOR for class:none" = "staff"`, `there is no class "none"`, ""},
		{"no level", `"ftp:STOR" = "king"`, `"king" is not a level`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "trivium.toml")
			if err := os.WriteFile(file, []byte("[policy]\n"+tt.text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := LoadConfig(config.Options{Dir: dir, SystemDir: dir, File: file})
			if (err == nil) != (tt.fault == "") {
				t.Fatal(err)
			}
			if err != nil {
				if text := err.Error(); !strings.Contains(text, tt.fault) || strings.Contains(text, "not valid") {
					t.Error(text)
				}
				return
			}
			if all := strings.Join(cfg.Warnings, "\n"); !strings.Contains(all, tt.warning) || tt.warning == "" && all != "" {
				t.Errorf("warnings: %q", all)
			}
		})
	}
}
