package main

import "github.com/alecthomas/kong"

// commands is the tree; kong reads it.
type commands struct {
	Globals `group:"every"`

	ShowVersion kong.VersionFlag `name:"version" group:"every" help:"Print the version and stop."`

	Serve      serveCmd      `cmd:"" group:"start" help:"Run the server."`
	Quickstart quickstartCmd `cmd:"" group:"start" help:"Write a configuration and a unit file for a domain, and say what is left to do."`
	SetupLink  setupLinkCmd  `cmd:"" group:"start" help:"Print the link that makes the first administrator, until one exists."`
	Config     configCmd     `cmd:"" group:"start" help:"Check, show and explain the configuration."`

	User  userCmd  `cmd:"" group:"people" help:"Accounts."`
	Group groupCmd `cmd:"" group:"people" help:"Groups and who is in them."`
	Alias aliasCmd `cmd:"" group:"people" help:"Further login names of accounts."`
	Token tokenCmd `cmd:"" group:"people" help:"App passwords and tokens for programs."`

	Source      sourceCmd      `cmd:"" group:"people" help:"Directories elsewhere that check passwords."`
	Application applicationCmd `cmd:"" group:"people" help:"Applications that people log in to by their account here."`
	Invite      inviteCmd      `cmd:"" group:"people" help:"Links by which people make an account."`

	Certificate certificateCmd `cmd:"" group:"people" help:"Client certificates by which accounts log in."`

	Session  sessionCmd  `cmd:"" group:"live" help:"Who is connected now, on all roads."`
	Transfer transferCmd `cmd:"" group:"live" help:"What is being sent and received now."`
	Announce announceCmd `cmd:"" group:"live" help:"Tell people something on all roads."`
	Ban      banCmd      `cmd:"" group:"live" help:"Addresses that may not connect."`
	Audit    auditCmd    `cmd:"" group:"live" help:"Log-ins and changes, newest first."`

	Status statusCmd `cmd:"" group:"server" help:"Problems first, then listeners and sessions."`
	Doctor doctorCmd `cmd:"" group:"server" help:"Look at the server, and say what to do about what is wrong."`
	Log    logCmd    `cmd:"" group:"server" help:"The log."`
	Cert   certCmd   `cmd:"" group:"server" help:"The certificates of the server itself."`
	Client clientCmd `cmd:"" group:"server" help:"Built-in clients that test each road."`

	Policy  policyCmd  `cmd:"" group:"server" help:"Which level a resource needs, and why."`
	Class   classCmd   `cmd:"" group:"server" help:"Classes of client addresses."`
	Quota   quotaCmd   `cmd:"" group:"server" help:"What homes, group folders and /pub hold and may hold."`
	Share   shareCmd   `cmd:"" group:"server" help:"Links to files that people have given out."`
	Webhook webhookCmd `cmd:"" group:"server" help:"Addresses that are told what happens here."`

	Maintenance maintenanceCmd `cmd:"" group:"server" help:"Keep people out while the server is worked on."`
	Backup      backupCmd      `cmd:"" group:"server" help:"Backups of all that the server keeps: make, check, restore."`
	Store       storeCmd       `cmd:"" group:"server" help:"Where accounts, tokens and messages are kept."`

	Version    versionCmd    `cmd:"" group:"server" help:"Print the version."`
	Completion completionCmd `cmd:"" group:"server" help:"Print the script that completes commands in a shell."`
	Man        manCmd        `cmd:"" group:"server" help:"Write the manual pages."`

	Complete  completeCmd  `cmd:"" hidden:"" help:"List how a line may go on, for the scripts of completion."`
	Reference referenceCmd `cmd:"" hidden:"" help:"Write the page of all commands."`
}

// Globals are the flags of every command.
type Globals struct {
	Config  string   `short:"c" name:"config" placeholder:"FILE" help:"Configuration file; else $TRIVIUM_CONFIG, ./trivium.toml, ~/.config/trivium, /etc/trivium."`
	DataDir string   `name:"data-dir" placeholder:"DIR" help:"Data directory; also $TRIVIUM_DATA_DIR."`
	Dev     bool     `name:"dev" help:"Development: loopback, high ports, data in ./var."`
	Set     []string `name:"set" sep:"none" placeholder:"KEY=VALUE" help:"Set one key of the configuration; may come again."`
	Socket  string   `name:"socket" placeholder:"PATH" help:"Control socket of the server; else the one in the data directory; also $TRIVIUM_SOCKET."`

	JSON    bool   `name:"json" help:"Print one JSON array or object."`
	Plain   bool   `name:"plain" help:"Print tables with tabs and without a header."`
	Quiet   bool   `short:"q" name:"quiet" help:"Print nothing but results."`
	Verbose bool   `short:"v" name:"verbose" help:"Say more."`
	Color   string `name:"color" enum:"auto,always,never" default:"auto" help:"auto, always or never."`

	NoInput bool     `name:"no-input" help:"Never ask; fail instead."`
	Yes     bool     `short:"y" name:"yes" help:"Answer every question with yes."`
	Timeout duration `name:"timeout" default:"30s" placeholder:"30s" help:"How long to wait for the server."`
}
