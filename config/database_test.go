package config

import (
	"strings"
	"testing"
)

func TestPostgresURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"postgres://trivium@db.example.org/trivium", ""},
		{"postgresql:///trivium?host=/run/postgresql&user=trivium", ""},
		{"postgres://trivium:pw@db.example.org/trivium", "holds a password"},
		{"postgres://db.example.org/trivium?password=pw", "holds a password"},
		{"postgres://trivium@db.example.org", "names no database"},
		{"postgres://trivium@db.example.org:port/trivium", "is no address"},
		{"mysql://h/db", "is no known database"},
	} {
		switch err := checkDatabase(tt.url); {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.url, err, tt.want)
		case err != nil && strings.Contains(err.Error(), "pw"):
			t.Errorf("the error has the password: %v", err)
		}
	}
	c := &Config{Database: Database{URL: "postgres://trivium@db.example.org/trivium", Password: NewSecret("p:w")}}
	if got := c.DatabaseURL(); got != "postgres://trivium:p%3Aw@db.example.org/trivium" {
		t.Errorf("with the password it is %s", got)
	}
}
