package main

import (
	"embed"
	"io"
)

//go:embed completion
var completionScripts embed.FS

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" name:"shell" help:"bash, zsh or fish."`
}

// Help is kong's.
func (c *completionCmd) Help() string {
	return `Examples:

  trivium completion bash | sudo tee /etc/bash_completion.d/trivium
  trivium completion zsh > ~/.zfunc/_trivium
  trivium completion fish > ~/.config/fish/completions/trivium.fish`
}

// Run prints the script of a shell. It asks this program for every word, so that it never grows old.
func (c *completionCmd) Run(s *shell) error {
	text, err := completionScripts.ReadFile("completion/trivium." + c.Shell)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.object(map[string]string{"shell": c.Shell, "script": string(text)})
	}
	_, err = io.WriteString(s.stdout, string(text))
	return err
}
