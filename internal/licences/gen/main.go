// Command gen writes the list of what the program is made of: the modules that are linked in, and the
// packages of npm that `make web` fetches, as the Makefile names them.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"trivium/internal/licences"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(to string) error {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "trivium/cmd/trivium")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("listing modules: %w", err)
	}
	lines := strings.Split(string(out), "\n")
	slices.Sort(lines)
	var list []licences.Part
	for _, line := range slices.Compact(lines) {
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			continue
		}
		kind, err := kindOf(f[2])
		if err != nil {
			return fmt.Errorf("%s: %w", f[0], err)
		}
		list = append(list, licences.Part{Name: f[0], Version: f[1], Licence: kind, Text: "https://pkg.go.dev/" + f[0] + "@" + f[1] + "?tab=licenses"})
	}
	scripts, err := scripts("../../Makefile")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(append(list, scripts...)); err != nil {
		return err
	}
	return os.WriteFile(to, b.Bytes(), 0o644)
}

// kindOf reads the licence of a module: the first file of a usual name.
func kindOf(dir string) (string, error) {
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "COPYING*", "License*", "license*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				continue // a folder of licences
			}
			if kind := licences.Kind(string(text)); kind != "" {
				return kind, nil
			}
		}
	}
	return "", fmt.Errorf("no licence that is known in %s: look, and teach licences.Kind", filepath.Base(dir))
}

// scripts are the packages of npm that become part of the program.
func scripts(makefile string) ([]licences.Part, error) {
	text, err := os.ReadFile(makefile)
	if err != nil {
		return nil, err
	}
	var list []licences.Part
	for _, p := range []struct{ name, variable, licence string }{{"tus-js-client", "TUS", "MIT"}, {"uplot", "UPLOT", "MIT"}, {"converse.js", "CONVERSE", "MPL-2.0"}} {
		m := regexp.MustCompile(`(?m)^` + p.variable + ` := (\S+)$`).FindSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("the Makefile does not say the version of %s", p.name)
		}
		list = append(list, licences.Part{Name: p.name, Version: string(m[1]), Licence: p.licence, Text: "https://www.npmjs.com/package/" + p.name + "/v/" + string(m[1])})
	}
	return list, nil
}
