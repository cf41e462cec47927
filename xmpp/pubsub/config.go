package pubsub

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/xmpp"
)

// Bounds of a configuration.
const (
	maxTitle  = 1024
	maxGroups = 50
	maxExpire = 100 * 365 * 24 * 3600 // seconds
)

// Access is who may subscribe and read (XEP-0060 section 4.5).
type Access string

// The access models.
const (
	Open      Access = "open"
	Presence  Access = "presence"
	Roster    Access = "roster"
	Authorize Access = "authorize"
	Whitelist Access = "whitelist"
)

// When the last item is sent.
const (
	never    = "never"
	onSub    = "on_sub"
	presence = "on_sub_and_presence"
)

// What a full node does with one more item.
const (
	retractOldest = "retract-oldest"
	discardOldest = "discard-oldest"
	reject        = "reject"
)

// Who may publish.
const (
	publishers  = "publishers"
	subscribers = "subscribers"
	anybody     = "open"
)

// Config is how a node behaves. It is stored as JSON.
type Config struct {
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Language    string   `json:"language,omitempty"`
	Contact     []string `json:"contact,omitempty"`
	Type        string   `json:"type,omitempty"` // of the payload; said, not demanded

	Access  Access   `json:"access"`
	Groups  []string `json:"groups,omitempty"` // sorted; of the owner's roster, for Roster
	Publish string   `json:"publish"`          // publishers, subscribers or open

	Persist     bool   `json:"persist"`
	MaxItems    int    `json:"max_items"` // 0: as many as the server allows
	Expire      int64  `json:"expire"`    // seconds; 0: never
	Full        string `json:"full"`      // retract-oldest, discard-oldest or reject
	MaxPayload  int    `json:"max_payload,omitempty"`
	SendLast    string `json:"send_last"` // never, on_sub or on_sub_and_presence
	Subscribe   bool   `json:"subscribe"` // subscriptions may be asked for
	PurgeGone   bool   `json:"purge_offline,omitempty"`
	ItemReply   string `json:"itemreply"` // publisher: items say who published them; none
	NotifyType  string `json:"notification_type"`
	Deliver     bool   `json:"deliver_notifications"`
	Payloads    bool   `json:"deliver_payloads"`
	NotifyConf  bool   `json:"notify_config,omitempty"`
	NotifyGone  bool   `json:"notify_delete"`
	NotifyItems bool   `json:"notify_retract,omitempty"`
}

// defaults are those of XEP-0163 section 6.
func defaults() Config {
	return Config{
		Access: Presence, Publish: publishers, Persist: true, MaxItems: 1, Full: retractOldest, SendLast: presence,
		Subscribe: true, ItemReply: "none", NotifyType: "headline", Deliver: true, Payloads: true, NotifyGone: true,
	}
}

// Greets reports whether the last item goes to subscribers who come online.
func (c *Config) Greets() bool { return c.SendLast == presence && c.Persist && c.Deliver }

// equal reports whether two configurations are the same.
func (c *Config) equal(o *Config) bool {
	return slices.EqualFunc(settings(), settings(), func(a, b setting) bool { return slices.Equal(a.get(c), b.get(o)) })
}

// since is the time before which items have expired; zero for never.
func (c *Config) since(now time.Time) time.Time {
	if c.Expire == 0 {
		return time.Time{}
	}
	return now.Add(-time.Duration(c.Expire) * time.Second)
}

// setting is one field of the form of a configuration.
type setting struct {
	name, typ, label string
	options          []string
	get              func(c *Config) []string
	set              func(c *Config, f xmpp.Field, l *Limits) bool // false: such a value cannot be
}

// settings are the fields of the form, as the registry of XEP-0060 section 16.4.4 has them.
func settings() []setting {
	return []setting{
		text("title", "A short name for the node", func(c *Config) *string { return &c.Title }),
		text("description", "A description of the node", func(c *Config) *string { return &c.Description }),
		text("language", "The language of the node", func(c *Config) *string { return &c.Language }).as("list-single"),
		{"contact", "jid-multi", "Whom to ask about the node", nil,
			func(c *Config) []string { return c.Contact },
			func(c *Config, f xmpp.Field, _ *Limits) bool { return list(&c.Contact, f.Values) }},
		text("type", "The type of the payloads, which is mostly their namespace", func(c *Config) *string { return &c.Type }),
		choice("access_model", "Who may subscribe and read", func(c *Config) *string { return (*string)(&c.Access) },
			string(Authorize), string(Open), string(Presence), string(Roster), string(Whitelist)),
		{"roster_groups_allowed", "list-multi", "Groups of the roster that may subscribe and read", nil,
			func(c *Config) []string { return c.Groups },
			func(c *Config, f xmpp.Field, _ *Limits) bool { return list(&c.Groups, f.Values) }},
		choice("publish_model", "Who may publish", func(c *Config) *string { return &c.Publish }, publishers, subscribers, anybody),
		boolean("persist_items", "Keep items", func(c *Config) *bool { return &c.Persist }),
		{"max_items", "text-single", "How many items are kept; max for as many as the server allows", nil, maxItems, setMaxItems},
		{"item_expire", "text-single", "Seconds after which an item goes; max for never", nil, expire, setExpire},
		choice("publish_node_full", "What a full node does with one more item", func(c *Config) *string { return &c.Full },
			retractOldest, discardOldest, reject),
		{"max_payload_size", "text-single", "Largest payload in bytes", nil,
			func(c *Config) []string {
				if c.MaxPayload == 0 {
					return nil
				}
				return []string{strconv.Itoa(c.MaxPayload)}
			}, setMaxPayload},
		choice("send_last_published_item", "When the last item is sent", func(c *Config) *string { return &c.SendLast }, never, onSub, presence),
		boolean("subscribe", "Allow subscriptions", func(c *Config) *bool { return &c.Subscribe }),
		boolean("purge_offline", "Remove all items when the owner goes offline", func(c *Config) *bool { return &c.PurgeGone }),
		choice("itemreply", "Whether items say who published them", func(c *Config) *string { return &c.ItemReply }, "publisher", "none"),
		choice("notification_type", "The type of messages that notify", func(c *Config) *string { return &c.NotifyType }, "normal", "headline"),
		boolean("deliver_notifications", "Notify", func(c *Config) *bool { return &c.Deliver }),
		boolean("deliver_payloads", "Notify with payloads", func(c *Config) *bool { return &c.Payloads }),
		boolean("notify_config", "Notify of another configuration", func(c *Config) *bool { return &c.NotifyConf }),
		boolean("notify_delete", "Notify when the node is deleted", func(c *Config) *bool { return &c.NotifyGone }),
		boolean("notify_retract", "Notify when items are removed", func(c *Config) *bool { return &c.NotifyItems }),
	}
}

func text(name, label string, at func(*Config) *string) setting {
	return setting{name, "text-single", label, nil,
		func(c *Config) []string {
			if *at(c) == "" {
				return nil
			}
			return []string{*at(c)}
		},
		func(c *Config, f xmpp.Field, _ *Limits) bool {
			*at(c) = strings.Clone(f.Value())
			return len(f.Values) <= 1 && len(f.Value()) <= maxTitle
		}}
}

// as gives a field the type that the registry has for it, as there are clients that refuse a form
// with another.
func (s setting) as(typ string) setting {
	s.typ = typ
	return s
}

func choice(name, label string, at func(*Config) *string, options ...string) setting {
	return setting{name, "list-single", label, options,
		func(c *Config) []string { return []string{*at(c)} },
		func(c *Config, f xmpp.Field, _ *Limits) bool {
			i := slices.Index(options, f.Value())
			if len(f.Values) != 1 || i < 0 {
				return false
			}
			*at(c) = options[i]
			return true
		}}
}

func boolean(name, label string, at func(*Config) *bool) setting {
	return setting{name, "boolean", label, nil,
		func(c *Config) []string { return []string{strconv.FormatBool(*at(c))} },
		func(c *Config, f xmpp.Field, _ *Limits) (ok bool) {
			*at(c), ok = xmpp.ParseBool(f.Value())
			return ok && len(f.Values) == 1
		}}
}

func list(to *[]string, values []string) bool {
	*to = nil
	for _, v := range values {
		if v == "" || len(v) > maxTitle || len(values) > maxGroups {
			return false
		}
		*to = append(*to, strings.Clone(v))
	}
	slices.Sort(*to)
	*to = slices.Compact(*to)
	return true
}

func maxItems(c *Config) []string {
	if c.MaxItems == 0 {
		return []string{"max"}
	}
	return []string{strconv.Itoa(c.MaxItems)}
}

// setMaxItems takes more than the server allows as what it allows, as clients ask for large
// numbers where they mean "max".
func setMaxItems(c *Config, f xmpp.Field, l *Limits) bool {
	c.MaxItems = 0
	if len(f.Values) != 1 || f.Value() == "max" {
		return len(f.Values) == 1
	}
	n, err := strconv.ParseInt(f.Value(), 10, 64)
	if err != nil || n < 1 {
		return false
	}
	if n < int64(l.Items) {
		c.MaxItems = int(n)
	}
	return true
}

func expire(c *Config) []string {
	if c.Expire == 0 {
		return []string{"max"}
	}
	return []string{strconv.FormatInt(c.Expire, 10)}
}

func setExpire(c *Config, f xmpp.Field, _ *Limits) bool {
	c.Expire = 0
	if f.Value() == "max" || f.Value() == "" {
		return len(f.Values) <= 1
	}
	n, err := strconv.ParseInt(f.Value(), 10, 64)
	if err != nil || n < 0 || len(f.Values) != 1 {
		return false
	}
	if n <= maxExpire {
		c.Expire = n
	}
	return true
}

func setMaxPayload(c *Config, f xmpp.Field, l *Limits) bool {
	c.MaxPayload = 0
	if f.Value() == "" {
		return len(f.Values) <= 1
	}
	n, err := strconv.ParseInt(f.Value(), 10, 64)
	if err != nil || n < 0 || len(f.Values) != 1 {
		return false
	}
	if n < int64(l.Payload) {
		c.MaxPayload = int(n)
	}
	return true
}

// apply changes a configuration as a form says. unknown is a field that there is not, and bad one
// whose value cannot be; each is "" where there is none.
func (c *Config) apply(f *xmpp.Form, l *Limits) (unknown, bad string) {
	all := settings()
	for _, x := range f.Fields {
		name, ok := strings.CutPrefix(x.Var, "pubsub#")
		i := slices.IndexFunc(all, func(s setting) bool { return ok && s.name == name })
		switch {
		case x.Var == "pubsub#node_type":
			if x.Value() != "leaf" {
				bad = name
			}
		case i < 0:
			unknown = x.Var
		case !all[i].set(c, x, l):
			bad = name
		}
	}
	return unknown, bad
}

// form has all settings: of type FormOpen to be filled in, of any other with their values alone.
func (c *Config) form(typ string) *xmpp.Form {
	f := &xmpp.Form{Type: typ, Kind: nsNodeConfig}
	for _, s := range settings() {
		x := xmpp.Field{Var: "pubsub#" + s.name, Values: s.get(c)}
		if typ == xmpp.FormOpen {
			x.Type, x.Label = s.typ, s.label
			for _, o := range s.options {
				x.Options = append(x.Options, xmpp.Option{Value: o})
			}
		}
		f.Fields = append(f.Fields, x)
	}
	return f
}
