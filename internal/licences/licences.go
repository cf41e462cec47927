// Package licences lists what the program is made of beside its own code, and under which licences: a
// generated list, for the page About and for those who pass the program on.
package licences

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
)

//go:generate go run ./gen licences.json

//go:embed licences.json
var list []byte

// Part is a module of Go or a package of npm that is in the program.
type Part struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Licence string `json:"licence" doc:"as SPDX names it"`
	Text    string `json:"text" doc:"where the licence's text is found"`
}

// parts reads the list once.
var parts = sync.OnceValues(func() (out []Part, err error) {
	if err := json.Unmarshal(list, &out); err != nil {
		return nil, fmt.Errorf("reading the list of licences: %w", err)
	}
	return out, nil
})

// List is all of them, by name: modules of Go first. The caller must not change it.
func List() ([]Part, error) { return parts() }
