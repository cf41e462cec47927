package licences_test

import (
	"os"
	"strings"
	"testing"

	"trivium/internal/licences"
)

func TestList(t *testing.T) {
	list, err := licences.List()
	if err != nil || len(list) < 20 {
		t.Fatalf("%d parts, %v", len(list), err)
	}
	for _, p := range list {
		if p.Name == "" || p.Version == "" || p.Licence == "" || p.Text == "" {
			t.Errorf("not all is known of %+v", p)
		}
	}
}

// Whoever takes another version of a module has to run go generate.
func TestFresh(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	list, err := licences.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if strings.Contains(p.Name, "/") && !strings.Contains(string(mod), p.Name+" "+p.Version+"\n") && !strings.Contains(string(mod), p.Name+" "+p.Version+" //") {
			t.Errorf("go.mod has another version of %s than %s: go generate ./internal/licences", p.Name, p.Version)
		}
	}
}

func TestKind(t *testing.T) {
	for text, want := range map[string]string{
		"Permission is hereby granted, free of\ncharge, to any person":                                         "MIT",
		"Apache License\n   Version 2.0, January 2004":                                                         "Apache-2.0",
		"Redistribution and use in source and binary forms, with … may be used to endorse or promote products": "BSD-3-Clause",
		"Redistribution and use in source and binary forms":                                                    "BSD-2-Clause",
		"All rights reserved.": "",
	} {
		if got := licences.Kind(text); got != want {
			t.Errorf("%.40q is %q, want %q", text, got, want)
		}
	}
}
