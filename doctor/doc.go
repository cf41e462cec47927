// Package doctor looks at a server as somebody would who was called because something is odd: each
// check says what it found, why that matters and what to do about it.
//
// The checks themselves come from whoever knows the thing (the application joins them); this package
// runs them side by side, each with a time limit, and keeps the last report. A check that cannot be
// made is skipped with the reason, never a warning.
package doctor
