// Package bustest is the contract of a bus as a test: what every form of it must do.
package bustest
