package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

type group struct {
	GID   uint32 `json:"gid"`
	Name  string `json:"name"`
	Quota int64  `json:"quota_bytes"`
	Files int64  `json:"quota_files"`

	Folder      bool  `json:"folder"`
	Roster      bool  `json:"roster"`
	Room        bool  `json:"room"`
	MemberLevel int   `json:"member_level"`
	MemberBytes int64 `json:"member_quota_bytes"`

	Members []member `json:"members"`
	Primary []string `json:"primary"`
}

type member struct {
	User    string `json:"user"`
	Manager bool   `json:"manager"`
}

type groupCmd struct {
	List   groupListCmd   `cmd:"" aliases:"ls" help:"List groups."`
	Show   groupShowCmd   `cmd:"" help:"Show a group and who is in it."`
	Add    groupAddCmd    `cmd:"" help:"Make a group."`
	Set    groupSetCmd    `cmd:"" help:"Change a group: its name, gid, quota."`
	Remove groupRemoveCmd `cmd:"" aliases:"rm" help:"Remove a group that is nobody's primary one."`
	Member memberCmd      `cmd:"" help:"Who is in a group."`
}

type groupListCmd struct{}

// Run lists groups.
func (c *groupListCmd) Run(s *shell) error {
	return tableOf(s, "/groups", nil, "No groups.", []string{"GROUP", "GID", "PRIMARY OF", "MEMBERS"}, func(g group) []string {
		return []string{g.Name, strconv.Itoa(int(g.GID)), strings.Join(g.Primary, ","), memberNames(g.Members, ",")}
	}, "GID")
}

func memberNames(list []member, sep string) string {
	var names []string
	for _, m := range list {
		if m.Manager {
			m.User += " (manager)"
		}
		names = append(names, m.User)
	}
	return strings.Join(names, sep)
}

type groupShowCmd struct {
	Name string `arg:"" name:"group" help:"Name of the group."`
}

// Run shows a group.
func (c *groupShowCmd) Run(s *shell) error {
	var g group
	text, err := s.get("/groups"+at(c.Name), nil, &g)
	if err != nil {
		return err
	}
	return s.showGroup(text, g)
}

func (s *shell) showGroup(text []byte, g group) error {
	if s.JSON {
		return s.json(text)
	}
	return s.fields("group", g.Name, "gid", strconv.Itoa(int(g.GID)), "primary of", strings.Join(g.Primary, ", "), "members", memberNames(g.Members, ", "),
		"quota", quota(g.Quota), "quota of files", atOnce(int(g.Files)), "folder", isOn(g.Folder), "roster", isOn(g.Roster), "room", isOn(g.Room),
		"accounts made in it", madeIn(g))
}

func isOn(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// madeIn is what an account gets that is made in the group.
func madeIn(g group) string {
	if g.MemberLevel == 0 && g.MemberBytes == 0 {
		return "as the server's defaults"
	}
	text := "level default"
	if g.MemberLevel != 0 {
		text = level(g.MemberLevel)
	}
	return text + ", quota " + quota(g.MemberBytes)
}

type groupAddCmd struct {
	Name string `arg:"" name:"group" help:"Name of the group."`
	GID  uint32 `name:"gid" placeholder:"N" help:"Its gid; else the next free one."`
}

// Run makes a group.
func (c *groupAddCmd) Run(s *shell) error {
	body := map[string]any{"name": c.Name}
	if c.GID > 0 {
		body["gid"] = c.GID
	}
	var g group
	if shown, err := s.submit(http.MethodPost, "/groups", nil, body, &g); shown || err != nil {
		return err
	}
	return s.say("Created group %s (gid %d).", g.Name, g.GID)
}

type groupSetCmd struct {
	Name    string  `arg:"" name:"group" help:"Name of the group."`
	NewName *string `name:"name" placeholder:"NAME" help:"Its new name."`
	GID     *uint32 `name:"gid" placeholder:"N" help:"Its new gid."`

	Quota      *string `name:"quota" placeholder:"SIZE" help:"Of its folder: 5GB; none for no limit; default for the server's."`
	QuotaFiles *string `name:"quota-files" placeholder:"N" help:"Number of files and folders; none for no limit; default for the server's."`

	Folder      *onOff  `name:"folder" placeholder:"on|off" help:"Whether it has a folder below /groups."`
	Roster      *onOff  `name:"roster" placeholder:"on|off" help:"Whether its members are in each other's rosters."`
	Room        *onOff  `name:"room" placeholder:"on|off" help:"Whether it has a chat room, when rooms are on."`
	MemberLevel *string `name:"member-level" placeholder:"LEVEL" help:"Level of accounts that are made in it; none for the server's."`
	MemberQuota *string `name:"member-quota" placeholder:"SIZE" help:"Quota of accounts that are made in it; default for the server's."`
}

// onOff is a switch.
type onOff bool

// Decode is for kong.
func (o *onOff) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("on or off", &text); err != nil {
		return err
	}
	if text != "on" && text != "off" {
		return fmt.Errorf("%q is neither on nor off", text)
	}
	*o = text == "on"
	return nil
}

// Run changes a group.
func (c *groupSetCmd) Run(s *shell) error {
	body := map[string]any{}
	if c.NewName != nil {
		body["name"] = *c.NewName
	}
	if c.GID != nil {
		body["gid"] = *c.GID
	}
	if err := putLimits(body, limitFlag{"quota_bytes", c.Quota, ""}, limitFlag{"quota_files", c.QuotaFiles, "--quota-files"}); err != nil {
		return err
	}
	for name, v := range map[string]*onOff{"folder": c.Folder, "roster": c.Roster, "room": c.Room} {
		if v != nil {
			body[name] = *v
		}
	}
	if c.MemberLevel != nil {
		body["member_level"] = *c.MemberLevel
	}
	if err := putLimits(body, limitFlag{"member_quota_bytes", c.MemberQuota, ""}); err != nil {
		return err
	}
	if len(body) == 0 {
		return usage("group set needs something to change: see trivium group set --help")
	}
	var g group
	if shown, err := s.submit(http.MethodPatch, "/groups"+at(c.Name), nil, body, &g); shown || err != nil {
		return err
	}
	return s.say("Changed group %s (gid %d).", g.Name, g.GID)
}

type groupRemoveCmd struct {
	Name   string `arg:"" name:"group" help:"Name of the group."`
	DryRun bool   `name:"dry-run" help:"Say what would be done."`
}

// Run removes after a question.
func (c *groupRemoveCmd) Run(s *shell) error {
	var g group
	text, err := s.get("/groups"+at(c.Name), nil, &g)
	if err != nil {
		return err
	}
	if c.DryRun {
		if s.JSON {
			return s.json(text)
		}
		return s.say("Would remove group %s (gid %d, %d members).", g.Name, g.GID, len(g.Members))
	}
	if err := s.confirm("Remove group "+g.Name+"?", "group "+g.Name+" was not removed"); err != nil {
		return err
	}
	if _, err := s.call(http.MethodDelete, "/groups"+at(c.Name), nil, nil); err != nil {
		return err
	}
	if s.JSON {
		return s.json(text)
	}
	return s.say("Removed group %s.", g.Name)
}

type memberCmd struct {
	Add    memberAddCmd    `cmd:"" help:"Add members; it counts at once for live sessions."`
	Remove memberRemoveCmd `cmd:"" aliases:"rm" help:"Remove members."`
}

type memberAddCmd struct {
	Group   string   `arg:"" name:"group" help:"Name of the group."`
	Users   []string `arg:"" name:"user" help:"Logins."`
	Manager bool     `name:"manager" help:"They may change the group's members."`
}

// Run adds members.
func (c *memberAddCmd) Run(s *shell) error {
	var g group
	if shown, err := s.submit(http.MethodPost, "/groups"+at(c.Group, "members"), nil, map[string]any{"users": c.Users, "manager": c.Manager}, &g); shown || err != nil {
		return err
	}
	return s.say("Added %s to %s.", strings.Join(c.Users, ", "), g.Name)
}

type memberRemoveCmd struct {
	Group string   `arg:"" name:"group" help:"Name of the group."`
	Users []string `arg:"" name:"user" help:"Logins."`
}

// Run removes members.
func (c *memberRemoveCmd) Run(s *shell) error {
	var g group
	if shown, err := s.submit(http.MethodPost, "/groups"+at(c.Group, "members", "remove"), nil, map[string]any{"users": c.Users}, &g); shown || err != nil {
		return err
	}
	return s.say("Removed %s from %s.", strings.Join(c.Users, ", "), g.Name)
}
