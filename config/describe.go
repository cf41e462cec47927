package config

import (
	"fmt"
	"strings"
)

// Describe explains one key or one section in plain text; with key "" it is the reference of all
// keys in Markdown. The error of an unknown key names the nearest one.
func Describe(name string) (string, error) {
	s := newSchema()
	if name == "" {
		return s.reference(), nil
	}
	name = strings.Trim(name, "[]")
	if k := s.byPath[name]; k != nil {
		return k.describe(), nil
	}
	if at := strings.LastIndexByte(name, '.'); at > 0 && s.tables[name[:at]] != nil && s.tables[name[:at]].byName[name[at+1:]] != nil {
		return s.tables[name[:at]].byName[name[at+1:]].describe(), nil
	}
	name = strings.TrimSuffix(name, ".NAME")
	if strings.HasPrefix(name, "policy.") {
		name = "policy"
	}
	if sec, ok := s.section(name); ok {
		return s.describeSection(sec), nil
	}
	for _, k := range s.keys {
		if k.Env == name {
			return k.describe(), nil
		}
	}
	hint := s.suggestPath(name)
	if hint == "" {
		in, last, ok := strings.Cut(name, ".")
		if !ok {
			in, last = "", name
		}
		if hint = s.suggest(in, last); hint == "" {
			hint = "all keys: trivium config describe"
		}
		return "", fmt.Errorf("there is no key %s; %s", printable(name), hint)
	}
	return "", fmt.Errorf("there is no key %s; did you mean %s?", printable(name), hint)
}

func (k *key) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %s.\n", k.Path, upperFirst(k.Doc))
	if k.Note != "" {
		fmt.Fprintf(&b, "  %s\n", k.Note)
	}
	fmt.Fprintf(&b, "\n  type         %s\n  default      %s\n", k.describeType(), k.defaultText())
	if k.Dev != k.Default {
		fmt.Fprintf(&b, "  with --dev   %s\n", k.literal(k.Dev))
	}
	if k.Min != 0 && k.Type == "number" || k.Min > 1 {
		fmt.Fprintf(&b, "  at least     %s\n", k.number(k.Min))
	}
	if k.Max != 0 {
		fmt.Fprintf(&b, "  at most      %s\n", k.number(k.Max))
	}
	if k.Example != "" {
		fmt.Fprintf(&b, "  example      %s = %s\n", k.Name, k.literal(k.Example))
	}
	if k.Env != "" {
		fmt.Fprintf(&b, "  environment  %s\n  flag         --set %s=…\n", k.Env, k.Path)
	}
	fmt.Fprintf(&b, "  takes effect %s\n", k.effect())
	return b.String()
}

func (k *key) number(n int64) string {
	if k.Type == "size" {
		return Size(n).String()
	}
	return fmt.Sprint(n)
}

func (k *key) effect() string {
	if k.Live {
		return "at once on reload"
	}
	return "at the next start"
}

// defaultText is the default as it stands in the file, or what its absence means.
func (k *key) defaultText() string {
	if k.Default == "" && !k.List {
		return "empty"
	}
	return k.literal(k.Default)
}

func (s *schema) describeSection(sec section) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  %s.\n", sec.head(), upperFirst(sec.Doc))
	if sec.Note != "" {
		fmt.Fprintf(&b, "  %s\n", sec.Note)
	}
	keys := s.of(sec.Name)
	width := 0
	for _, k := range keys {
		width = max(width, len(k.Path))
	}
	if len(keys) > 0 {
		b.WriteByte('\n')
	}
	for _, k := range keys {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, k.Path, k.Doc)
	}
	return b.String()
}

// reference is docs/config.md.
func (s *schema) reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration reference

<!-- Generated from the struct tags of package config by go generate ./config; edits here are lost. -->

Every key is optional. Later layers win: defaults, the file, the environment, ` + "`--set section.key=value`" + `.
The file is looked for at ` + "`--config`, `$TRIVIUM_CONFIG`, `./trivium.toml`, `$XDG_CONFIG_HOME/trivium/trivium.toml`, `/etc/trivium/trivium.toml`" + `;
with ` + "`--dev`" + ` the last two are not looked at. No file is fine.

- Each key is also an environment variable, ` + "`TRIVIUM_`" + ` + section + key in capitals; lists are written with commas.
- Listeners: ` + "`:21`, `127.0.0.1:2121`, `[::1]:0`" + `; an empty value or ` + "`off`" + ` turns the listener off, port 0 picks one.
- Times: ` + "`30s 5m 12h 7d`" + `. Sizes: ` + "`500KB 100MB 2GiB`" + `. Levels: by name or number.
- ` + "`@file:PATH`" + ` reads a secret from a file. A relative path in the file starts at the file's folder, elsewhere at the working directory.
- ` + "`trivium config check`" + ` lists all faults, ` + "`config show`" + ` says where each value came from, ` + "`config example`" + ` prints a commented file.
`)
	b.WriteString("\n## At the top of the file\n\n")
	writeTable(&b, s.of(""))
	for _, sec := range s.sections {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s.", sec.head(), upperFirst(sec.Doc))
		if sec.Note != "" {
			b.WriteString(" " + sec.Note)
		}
		b.WriteString("\n")
		if sec.Map {
			b.WriteString("\n```toml\n[policy]\n\"web:/admin/**\" = \"admin\"\n\"ftp:SITE CHMOD\" = 20\n```\n")
			continue
		}
		b.WriteString("\n")
		writeTable(&b, s.of(sec.Name))
	}
	return b.String()
}

func writeTable(b *strings.Builder, keys []*key) {
	b.WriteString("| key | what it is | value | default | environment |\n|---|---|---|---|---|\n")
	for _, k := range keys {
		def := "`" + k.defaultText() + "`"
		if k.Default == "" && !k.List {
			def = "empty"
		}
		if k.Dev != k.Default {
			def += ", with --dev `" + k.literal(k.Dev) + "`"
		}
		env := "–"
		if k.Env != "" {
			env = "`" + k.Env + "`"
		}
		what := k.sentence()
		if k.Example != "" {
			what = strings.TrimSuffix(what, ".") + ". Example: `" + k.literal(k.Example) + "`"
		}
		if k.Live {
			what += " (live)"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", k.Name, cell(what), cell(k.describeType()), cell(def), env)
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
