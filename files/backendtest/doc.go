// Package backendtest holds the contract of files.Backend as a test that every store must pass.
package backendtest
