// Command gendoc writes the reference of all configuration keys to the file that its argument
// names.
package main

import (
	"fmt"
	"os"

	"trivium/config"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("one argument is needed, the file to write; there are %d", len(args))
	}
	page, err := config.Describe("")
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], []byte(page), 0o644) //nolint:gosec // a page of the manual is for everybody
}
