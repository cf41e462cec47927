package api

import (
	"github.com/danielgtaylor/huma/v2"

	"trivium/identity"
)

// Level is identity.Level in a request: a number, or a name for people's hands.
type Level struct{ identity.Level }

// Schema says so to the OpenAPI document.
func (Level) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		AnyOf:       []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString}},
		Description: "A level by number (20) or name (customer).",
	}
}

// levelOf reads a level of a query; "" is nil.
func levelOf(s string) (*identity.Level, error) {
	if s == "" {
		return nil, nil
	}
	l, err := identity.ParseLevel(s)
	if err != nil {
		return nil, err
	}
	return &l, nil
}
