package main

import (
	"fmt"
	"runtime"
)

type versionCmd struct{}

// Run prints this program's version.
func (c *versionCmd) Run(s *shell) error {
	if s.JSON {
		return s.object(struct {
			Version string `json:"version"`
			Go      string `json:"go"`
			OS      string `json:"os"`
			Arch    string `json:"arch"`
		}{version, runtime.Version(), runtime.GOOS, runtime.GOARCH})
	}
	_, err := fmt.Fprintln(s.stdout, "trivium "+version)
	return err
}

type setupLinkCmd struct {
	URLOnly bool `name:"url-only" help:"Print the address alone."`
}

// Run prints the link.
func (c *setupLinkCmd) Run(s *shell) error {
	var link struct {
		URL string `json:"url"`
	}
	body, err := s.get("/setup-link", nil, &link)
	if err != nil {
		return err
	}
	switch {
	case s.JSON:
		return s.json(body)
	case c.URLOnly || s.Quiet || s.Plain:
		_, err = fmt.Fprintln(s.stdout, link.URL)
		return err
	}
	s.note("No administrator yet. Open this link to create one; it works once:")
	if _, err := fmt.Fprintln(s.stdout, link.URL); err != nil {
		return err
	}
	if c, err := s.connect(); err == nil && !c.Live() {
		s.note("The server is not running; start it with: trivium serve")
	}
	return nil
}
