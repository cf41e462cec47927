package licences

import "strings"

// Kind names a licence by its text, as SPDX does; "" where it is none of those that we know.
func Kind(text string) string {
	t := strings.Join(strings.Fields(text), " ")
	has := func(parts ...string) bool {
		for _, p := range parts {
			if !strings.Contains(t, p) {
				return false
			}
		}
		return true
	}
	switch {
	case has("Apache License", "Version 2.0"):
		return "Apache-2.0"
	case has("Mozilla Public License", "2.0"):
		return "MPL-2.0"
	case has("Redistribution and use in source and binary forms", "endorse or promote"):
		return "BSD-3-Clause"
	case has("Redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("Permission to use, copy, modify, and", "distribute this software for any purpose"):
		return "ISC"
	case has("Permission is hereby granted, free of charge"):
		return "MIT"
	}
	return ""
}
