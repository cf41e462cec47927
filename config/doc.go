// Package config reads the settings of one server from defaults, one TOML file, the environment
// and flags, and reports every fault in them at once.
//
// It imports nothing of ours and knows no domain types: levels, domains and resource patterns
// are text here, and [Options.Validators] says which text is good.
//
// Later layers win: defaults, file, environment (TRIVIUM_SECTION_KEY), --set section.key=value.
// For each key the layer it came from is remembered, see [Config.Entries]. The struct tags of
// [Config] are the one description of every key: the commented example ([Example]), the reference
// ([Describe]) and docs/config.md are made from them.
//
// A new key is a field with its tags, a line in [Config]'s cross checks if it can disagree with
// another, then go generate ./config and go test ./config -update.
//
//	document     what of it
//	TOML 1.0     the file; syntax is go-toml's
//	RFC 4632     addresses in trusted_proxies and class.from are CIDR prefixes
package config

//go:generate go run ./gendoc ../docs/config.md
