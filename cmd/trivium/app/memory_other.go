//go:build !linux

package app

// releaseProgram has no way here.
func releaseProgram() {}
