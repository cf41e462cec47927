package config

import (
	"net/netip"
	"time"
)

// Config is the settings of one server. [Load] makes it; nothing changes it afterwards.
//
// Tags: toml names the key, doc says in one line what it does, note says more, default and dev
// are the values without and with --dev as text (lists with commas), values lists what is
// allowed, type names the form of the text, min and max bound numbers, live marks keys that take
// effect without a restart, example is shown where the default would teach nothing, sample is a name
// for [section.kind.NAME].
type Config struct {
	Domain       string   `toml:"domain" default:"localhost" type:"domain" example:"example.org" doc:"addresses are user@domain"`
	Domains      []string `toml:"domains" type:"domain" example:"example.net" doc:"further domains with accounts of their own"`
	SiteName     string   `toml:"site_name" doc:"shown in titles and banners; empty: the domain"`
	DataDir      string   `toml:"data_dir" default:"/var/lib/trivium" dev:"var" type:"path" doc:"accounts, files, certificates" note:"A relative path starts at the folder of the file it stands in, else at the working directory."`
	AdminContact string   `toml:"admin_contact" example:"mailto:admin@example.org" doc:"shown on error pages and in security.txt"`

	Web      Web               `toml:"web" doc:"the web pages, WebDAV and the REST interface"`
	FTP      FTP               `toml:"ftp" doc:"FTP and FTP over TLS"`
	XMPP     XMPP              `toml:"xmpp" doc:"chat"`
	TLS      TLS               `toml:"tls" doc:"the certificate of all roads; without one a self-signed one is made and kept in data_dir"`
	Files    Files             `toml:"files" doc:"the files that all roads share"`
	Identity Identity          `toml:"identity" doc:"accounts, levels, passwords"`
	Mail     Mail              `toml:"mail" doc:"e-mail to people: links to reset a password, and notices"`
	Limits   Limits            `toml:"limits" doc:"what one client, one account and everybody together may use; a number of 0 means no limit"`
	Database Database          `toml:"database" doc:"where accounts, tokens and messages are kept"`
	Log      Log               `toml:"log" doc:"the log"`
	Backup   Backup            `toml:"backup" doc:"copies of all that the server keeps (docs/backup.md)"`
	Provider Provider          `toml:"provider" doc:"log-in to other applications by an account here (OpenID Connect)"`
	Policy   map[string]string `toml:"policy" type:"level" doc:"the level that a resource requires" note:"One line per resource pattern: kind:segments, * is one segment, ** the rest. A level, or never. No environment form."`
	Mount    []Mount           `toml:"mount" doc:"a folder of this machine that shows in everybody's tree, beside /groups and /pub" note:"No environment form."`
	Class    []Class           `toml:"class" doc:"a named set of client addresses, decided when the connection is accepted; the first class that matches counts" note:"No environment form."`

	// Dev is true under --dev. It is no key.
	Dev bool `toml:"-"`
	// File is the path of the file that was read, empty when there was none.
	File string `toml:"-"`
	// Warnings are sentences about what is allowed but unwise.
	Warnings []string `toml:"-"`

	sources map[string]Source
	values  map[string][]string // as text, by key, for Entries
}

// Web is the section [web].
type Web struct {
	Listen           []string       `toml:"listen" default:":80" dev:"127.0.0.1:8080" type:"listen" doc:"plain HTTP"`
	Plain            string         `toml:"plain" default:"redirect" dev:"serve" values:"redirect|serve" doc:"what plain HTTP does: redirect to HTTPS, or serve" note:"While web.tls_listen is off the default is serve."`
	TLSListen        []string       `toml:"tls_listen" default:":443" dev:"off" type:"listen" doc:"HTTPS"`
	PublicURL        string         `toml:"public_url" type:"site" example:"https://example.org" doc:"the address in links; empty: made from domain and listeners" note:"With a path, such as https://example.org/trivium, everything is below it; docs/proxy.md says what the proxy does."`
	TrustedProxies   []netip.Prefix `toml:"trusted_proxies" type:"cidr" example:"10.0.0.0/8" doc:"proxies whose word about the client counts, in the headers that web.forwarded names"`
	SessionTimeout   time.Duration  `toml:"session_timeout" default:"30d" min:"1" doc:"a logged-in browser session idle this long becomes anonymous"`
	AnonymousTimeout time.Duration  `toml:"anonymous_timeout" default:"1h" min:"1" doc:"an anonymous browser session idle this long is closed"`
	DAV              bool           `toml:"dav" default:"true" doc:"WebDAV at /dav/"`

	SessionMaxAge time.Duration `toml:"session_max_age" default:"0" doc:"a logged-in browser session as old as this becomes anonymous, however busy it is; 0: never"`

	ClientCertificates bool `toml:"client_certificates" default:"false" doc:"browsers and programs are asked for certificates on tls_listen, and may log in by them" note:"A browser that has any certificate asks each visitor which one to show. A proxy in front that ends TLS takes them away."`

	ProxyFrom []netip.Prefix `toml:"proxy_from" type:"cidr" example:"10.0.0.5" doc:"proxies that begin each connection with a PROXY header (version 1 or 2), which names the client" note:"What comes from there without one is closed; from anywhere else such a header is never believed. Not for proxies that send X-Forwarded-* instead."`

	Lang string `toml:"lang" default:"en" doc:"language of the pages for those whose browser asks for none that there is" note:"English (en) and German (de) are built in. Further ones are catalogues in the folder lang of the data directory, such as lang/pl.toml."`

	APIRate        int `toml:"api_rate" default:"100" min:"0" doc:"requests a second to the REST interface with one token or password; 0: no limit" note:"The control socket has none."`
	APIBurst       int `toml:"api_burst" default:"1000" min:"0" doc:"how many may come at once after a pause"`
	APIAccountRate int `toml:"api_account_rate" default:"300" min:"0" doc:"requests a second of all tokens of an account together, with three times the burst; 0: no limit"`

	Forwarded string `toml:"forwarded" default:"x-forwarded" values:"x-forwarded|forwarded" doc:"headers by which trusted_proxies name the client: X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239)" note:"One or the other: a proxy that sets one may pass on what a client writes in the other."`

	WebhooksPrivate bool `toml:"webhooks_private" default:"false" doc:"webhooks may go to addresses of private networks and of this machine, and by plain HTTP" note:"Whoever administers this server can then reach what only this machine can reach."`
}

// FTP is the section [ftp].
type FTP struct {
	Listen                   []string `toml:"listen" default:":21" dev:"127.0.0.1:2121" type:"listen" doc:"FTP, with AUTH TLS as ftp.tls says"`
	TLS                      string   `toml:"tls" default:"required" dev:"optional" values:"required|optional|off" doc:"AUTH TLS before log-in and for data"`
	TLSListen                []string `toml:"tls_listen" type:"listen" example:":990" doc:"implicit TLS"`
	PassivePorts             string   `toml:"passive_ports" default:"50000-50999" type:"ports" doc:"open these in the firewall" note:"Both ends belong to the range; 0-0 leaves the choice to the system."`
	PublicAddress            string   `toml:"public_address" default:"auto" type:"address" example:"192.0.2.10" doc:"what PASV announces behind NAT; auto: the address the client reached"`
	Anonymous                bool     `toml:"anonymous" default:"false" doc:"log-in as anonymous or ftp, which sees /pub alone"`
	AnonymousRequirePassword bool     `toml:"anonymous_require_password" default:"false" doc:"the anonymous log-in needs ftp.anonymous_password in the place of an e-mail address" note:"As AnonRequirePassword of ProFTPD."`
	AnonymousPassword        Secret   `toml:"anonymous_password" type:"text" example:"@file:/etc/trivium/anonymous.password" doc:"what that password is; empty: nothing is right"`
	IdentLookups             bool     `toml:"ident_lookups" default:"false" doc:"ask the client's host who is calling (RFC 1413)"`
	TLSReuse                 string   `toml:"tls_reuse" default:"own" values:"own|required|off" doc:"whose TLS session a data connection may resume" note:"own: if it resumes, then that of its own control connection; required: it must resume that one; off: no check. A class may demand required."`
	PublicAddresses          []string `toml:"public_addresses" type:"nat" example:"10.0.0.0/8=auto,0.0.0.0/0=192.0.2.10" doc:"what PASV announces to clients of a network, in the place of public_address" note:"NETWORK=ADDRESS, the first network that holds the client counts; auto is the address that the client reached."`
	DisplayConnect           string   `toml:"display_connect" type:"path" example:"/etc/trivium/welcome.msg" doc:"text shown before log-in, with variables" note:"A text file in UTF-8. %L address of the server, %V domain, %h address of the client, %N sessions of FTP, %M the limit of them, %T the time, %u the user, %U what the client sent as user, %C the folder, %E admin_contact, %F free space, %% a percent sign."`
	DisplayLogin             string   `toml:"display_login" type:"path" doc:"text shown after log-in, as display_connect"`
	DisplayQuit              string   `toml:"display_quit" type:"path" doc:"text shown at QUIT, as display_connect"`
	DisplayChdir             string   `toml:"display_chdir" example:".message" doc:"name of a text in a folder that is shown to who enters it, once a session; empty: none"`
	XferLog                  string   `toml:"xferlog" type:"path" example:"/var/log/trivium/xferlog" doc:"each transfer as a line of xferlog(5); empty: none"`
	TransferLog              string   `toml:"transfer_log" type:"path" example:"/var/log/trivium/transfers.json" doc:"each transfer as a line of JSON; empty: none"`

	ClientCertificates bool `toml:"client_certificates" default:"false" doc:"clients are asked for certificates under TLS, and may log in by those that their accounts have made known, or that identity.client_ca has signed" note:"Some clients break when they are asked; none has to show one."`

	ProxyFrom []netip.Prefix `toml:"proxy_from" type:"cidr" example:"10.0.0.5" doc:"proxies that begin each connection with a PROXY header, as web.proxy_from" note:"Data connections come from the client itself, or through the proxy with a header that names the same client."`
}

// XMPP is the section [xmpp].
type XMPP struct {
	Listen    []string `toml:"listen" default:":5222" dev:"127.0.0.1:5222" type:"listen" doc:"clients, with STARTTLS as xmpp.tls says"`
	TLS       string   `toml:"tls" default:"required" dev:"optional" values:"required|optional" doc:"STARTTLS before log-in; PLAIN stays off without TLS either way"`
	TLSListen []string `toml:"tls_listen" default:":5223" dev:"127.0.0.1:5223" type:"listen" doc:"direct TLS (XEP-0368)"`
	S2SListen []string `toml:"s2s_listen" type:"listen" example:":5269" doc:"other servers"`
	SCRAM     string   `toml:"scram" default:"auto" values:"auto|on|off" doc:"whether log-in by SCRAM is offered" note:"auto: unless identity.password_hash is argon2id, or a directory checks passwords, which only PLAIN over TLS can bring to it; clients take SCRAM first and would fail."`
	SCRAMSHA1 bool     `toml:"scram_sha1" default:"false" doc:"keep SCRAM-SHA-1 keys too, for old clients"`

	ClientCertificates bool `toml:"client_certificates" default:"false" doc:"clients are asked for certificates, and may log in by them (SASL EXTERNAL, XEP-0257)" note:"As ftp.client_certificates. Some clients ask the person for one then."`

	ResumeTimeout time.Duration `toml:"resume_timeout" default:"10m" doc:"how long a session whose connection is lost waits for its client (XEP-0198); 0: not at all"`
	ResumeMemory  Size          `toml:"resume_memory" default:"64MiB" min:"1048576" doc:"memory of all sessions that wait; beyond it those end that take more of it than most, the one that waits longest first"`
	PingInterval  time.Duration `toml:"ping_interval" default:"5m" doc:"silence after which a client is asked whether it is there; 0: never" note:"It is asked between this long and half as long again after its last word."`
	PingTimeout   time.Duration `toml:"ping_timeout" default:"1m" min:"1" doc:"how long it has to answer"`
	StanzaRate    Size          `toml:"stanza_rate" default:"0" doc:"bytes a second that are read from one client, beyond a burst of two seconds; 0: no limit" note:"A client that sends more is read more slowly; nothing is lost."`
	Anonymous     bool          `toml:"anonymous" default:"false" doc:"log-in without an account, under an address made up for the session"`
	OnWebPort     bool          `toml:"on_web_port" default:"true" doc:"direct TLS on the ports of web.tls_listen too, for clients that ask for it by ALPN (XEP-0368)" note:"Where a firewall lets nothing but 443 pass."`
	WebSocket     bool          `toml:"websocket" default:"true" doc:"chat over WebSocket at /xmpp-websocket of the web pages (RFC 7395)"`

	WebSocketOrigins []string `toml:"websocket_origins" type:"origin" example:"https://chat.example.net" doc:"further sites whose pages may open that; the own domains always may" note:"\"*\" lets every page: chat sends no cookies, so such a page still needs a password, but it reaches a server that only the browser's network can reach."`

	OfflineMessages int `toml:"offline_messages" default:"1000" min:"1" doc:"how many messages wait for an account of which nobody is there"`

	Registration   string `toml:"registration" default:"off" values:"off|invite|open" doc:"invite: who has an invitation makes an account in the chat app (XEP-0445); open: whoever comes does, over TLS, three an hour from one address (XEP-0077)"`
	AccountRemoval bool   `toml:"account_removal" default:"false" doc:"people may remove their own account from chat" note:"The login stays reserved and the files stay; who finds an unlocked phone can do it."`

	Services       []string `toml:"services" type:"service" example:"stun:stun.example.org,turn:turn.example.org:3478" doc:"STUN and TURN servers that clients are told of, for calls (XEP-0215)"`
	ServicesSecret Secret   `toml:"services_secret" type:"text" example:"@file:/etc/trivium/turn.key" doc:"what the TURN servers share with this one: clients get passwords that are good for 12 hours" note:"coturn: use-auth-secret and static-auth-secret."`

	AbuseContact    []string `toml:"abuse_contact" type:"contact" example:"mailto:abuse@example.org" doc:"whom clients show for complaints (XEP-0157)" note:"admin_contact stands beside it."`
	SecurityContact []string `toml:"security_contact" type:"contact" example:"mailto:security@example.org" doc:"whom they show for faults in security"`
	SupportContact  []string `toml:"support_contact" type:"contact" example:"xmpp:help@example.org" doc:"whom they show for help"`

	GroupRosters bool `toml:"group_rosters" default:"true" doc:"members of a group are in each other's contact lists, under the group's name"`

	Archive         bool `toml:"archive" default:"true" doc:"keep what people write to one another, so that all their devices have it (XEP-0313)"`
	ArchiveDays     int  `toml:"archive_days" default:"0" min:"0" max:"36500" doc:"how long; 0: for ever"`
	ArchiveMessages int  `toml:"archive_messages" default:"0" min:"0" doc:"how many messages of an account, the newest; 0: no limit"`

	ProxyFrom []netip.Prefix `toml:"proxy_from" type:"cidr" example:"10.0.0.5" doc:"proxies that begin each connection with a PROXY header, as web.proxy_from"`
}

// TLS is the section [tls]. Pair reads the two.
type TLS struct {
	Cert   string `toml:"cert" type:"path" example:"/etc/trivium/cert.pem" doc:"path of the certificate chain in PEM"`
	Key    Secret `toml:"key" type:"keyfile" example:"@file:/etc/trivium/key.pem" doc:"its private key: a path, @file:PATH, or the PEM text itself"`
	Folder string `toml:"folder" type:"path" example:"/etc/trivium/certs" doc:"further certificates; the name that a client asks for chooses among them" note:"NAME.crt and NAME.key, or NAME/fullchain.pem and NAME/privkey.pem as ACME clients keep them. Names are those in the certificates. Read again with the rest."`

	ACME          string `toml:"acme" default:"off" values:"off|on" doc:"get certificates from an authority and renew them (RFC 8555); on: by it you agree to the authority's terms" note:"For domain, domains and the host of web.public_url, as far as the authority can know them. Port 80 or 443 of each name must lead to web.listen or web.tls_listen of this server. Until there is one, the self-signed one serves."`
	ACMEEmail     string `toml:"acme_email" type:"text" example:"admin@example.org" doc:"mail address that the authority may write to; empty: none"`
	ACMEDirectory string `toml:"acme_directory" type:"text" default:"https://acme-v02.api.letsencrypt.org/directory" example:"https://acme-staging-v02.api.letsencrypt.org/directory" doc:"the authority: the address of its ACME directory" note:"The example is for tries: browsers do not believe its certificates."`
	ACMECA        string `toml:"acme_ca" type:"path" example:"/etc/trivium/authority.pem" doc:"PEM file of who vouches for that address, where it is an authority of your own; empty: those whom this machine believes"`

	ACMEEABKid     string `toml:"acme_eab_kid" type:"text" example:"kid-1" doc:"the name of a key by which the authority knows who has an account at it (external account binding, RFC 8555 section 7.3.4); empty: it asks for none" note:"ZeroSSL, Google and others give a pair of them on their pages."`
	ACMEEABHMACKey Secret `toml:"acme_eab_hmac_key" type:"text" example:"@file:/etc/trivium/acme.key" doc:"that key, in base64url as the authority shows it"`

	certPath, keyPath string // absolute; empty when unset or, for the key, inline
}

// Files is the section [files].
type Files struct {
	Storage       string        `toml:"storage" default:"local" values:"local|s3" doc:"where the bytes lie"`
	Root          string        `toml:"root" default:"files" doc:"a folder below data_dir, or an absolute path"`
	Ownership     string        `toml:"ownership" default:"virtual" values:"virtual|system" doc:"whether owner, group and mode are kept beside the files, or are those of the system" note:"system: files are really chowned, for which the server must be root."`
	Quota         Size          `toml:"quota" default:"5GB" doc:"of a home whose account says nothing else; 0: none"`
	QuotaFiles    int           `toml:"quota_files" default:"0" doc:"files and folders of such a home; 0: no limit"`
	GroupQuota    Size          `toml:"group_quota" default:"0" doc:"of the folder of a group that says nothing else; 0: none"`
	GroupFiles    int           `toml:"group_quota_files" default:"0" doc:"files and folders of such a folder; 0: no limit"`
	PubQuota      Size          `toml:"pub_quota" default:"0" doc:"of /pub; 0: none"`
	QuotaSoft     int           `toml:"quota_soft" default:"0" max:"100" doc:"percent of a quota from which the grace begins; 0: none"`
	QuotaGrace    time.Duration `toml:"quota_grace" default:"7d" min:"1" doc:"how long a quota may be used beyond quota_soft, until uploads are refused"`
	Sync          bool          `toml:"sync" default:"true" doc:"an upload is acknowledged when it is on disk" note:"false: faster, and a power cut can lose what was acknowledged."`
	Umask         string        `toml:"umask" default:"027" type:"umask" doc:"mode bits that new files and folders do not get"`
	PartLife      time.Duration `toml:"part_life" default:"24h" min:"1" doc:"how long an unfinished upload is kept for a resume"`
	Trash         string        `toml:"trash" default:"web" values:"web|all|off" doc:"whose deletions can be restored: those on the web pages, those on all roads" note:"Trash counts for the quota, and goes before its time where that is used up."`
	TrashDays     int           `toml:"trash_days" default:"30" min:"1" max:"36500" doc:"how long"`
	Versions      int           `toml:"versions" default:"0" doc:"how many old versions of an overwritten file are kept" note:"Versions count for the quota, and the oldest go where that is used up."`
	Case          string        `toml:"case" default:"sensitive" values:"sensitive|unique" doc:"unique: no new name that differs from another of its folder in case alone" note:"unique is for trees that Windows and macOS share."`
	PortableNames bool          `toml:"portable_names" default:"false" doc:"no new names that Windows cannot hold, such as CON or a:b"`
	S3Endpoint    string        `toml:"s3_endpoint" type:"url" example:"https://s3.example.org" doc:"address of the object storage"`
	S3Region      string        `toml:"s3_region" default:"us-east-1" doc:"its region"`
	S3Bucket      string        `toml:"s3_bucket" example:"trivium" doc:"the bucket, which must exist"`
	S3Prefix      string        `toml:"s3_prefix" doc:"what the names of all objects begin with"`
	S3AccessKey   string        `toml:"s3_access_key" doc:"access key"`
	S3SecretKey   Secret        `toml:"s3_secret_key" type:"text" example:"@file:/etc/trivium/s3.key" doc:"secret key"`
	S3PathStyle   bool          `toml:"s3_path_style" default:"true" doc:"the bucket stands in the path, not in the host name"`
}

// Identity is the section [identity].
type Identity struct {
	DefaultLevel         string `toml:"default_level" default:"user" type:"level" doc:"of new accounts"`
	DefaultRequiredLevel string `toml:"default_required_level" default:"logged-in" type:"level" doc:"of a resource that nothing else says anything about"`
	PasswordHash         string `toml:"password_hash" default:"scram" values:"scram|argon2id" doc:"how new passwords are kept" note:"argon2id is harder to guess from a stolen store and takes SCRAM away: XMPP clients then need PLAIN over TLS or an app password."`
	SCRAMIterations      int    `toml:"scram_iterations" default:"10000" min:"4096" max:"1000000" doc:"PBKDF2 rounds of new passwords (RFC 7677 section 4: at least 4096)"`
	AnonymousWeb         bool   `toml:"anonymous_web" default:"true" doc:"visitors get a session before they log in"`
	UIDMin               uint32 `toml:"uid_min" default:"10000" min:"1000" max:"2000000000" doc:"first uid and gid given out"`
	SecondFactor         string `toml:"second_factor" default:"optional" values:"optional|admin|moderator|staff|everyone" doc:"of whom a second factor is asked: who sets one up, from that level on, or everybody" note:"A password alone lets nobody of them in: the web pages ask for the second factor, on the other roads app passwords work. A class may ask for one too."`
	GeoIP                string `toml:"geoip" type:"path" example:"/var/lib/GeoIP/GeoLite2-City.mmdb" doc:"MaxMind file (MMDB) that says where addresses are, for lists of sessions; empty: nobody knows"`
	SealKey              Secret `toml:"seal_key" type:"sealkey" example:"@file:/etc/trivium/seal.key" doc:"seals the password records; empty: data_dir/seal.key, made at the first start"`

	AuditKeep       time.Duration `toml:"audit_keep" default:"365d" doc:"how long rows of the audit log are kept; 0: for ever"`
	AuditKeepLogins time.Duration `toml:"audit_keep_logins" default:"0" doc:"those of log-ins and ends of sessions, where that is shorter; 0: as audit_keep"`

	ClientCA               string   `toml:"client_ca" type:"path" example:"/etc/trivium/people.pem" doc:"authorities in PEM whose certificates let in the account that they name" note:"Where client_certificates of a road is on. Read at the start."`
	ClientNames            []string `toml:"client_names" default:"xmpp" type:"certname" example:"xmpp,email,dns:{login}.people.example.org" doc:"which names in those certificates mean which account" note:"xmpp and email: the address of the account here; profile-email: the e-mail address in the profile of one account alone; uri:PATTERN and dns:PATTERN with {login} once."`
	ClientRevoked          string   `toml:"client_revoked" type:"path" example:"/etc/trivium/revoked.txt" doc:"file of certificates that are good for nothing: SHA-256 fingerprints, one to a line" note:"Read again with the rest; sessions that were opened by one of them end then."`
	CertificateAndPassword string   `toml:"certificate_and_password" default:"nobody" values:"nobody|admin|moderator|staff|everyone" doc:"of whom a client certificate and the password are wanted together, from that level on" note:"App passwords and passkeys go on. A class may ask for both too."`

	LDAP []LDAP `toml:"ldap" sample:"office" doc:"a directory that checks passwords, and whose people have accounts here" note:"NAME is what accounts, pages and commands call it. No environment form."`
	Hook []Hook `toml:"hook" sample:"members" doc:"a program that is asked over HTTP in the place of a directory" note:"NAME as above. No environment form."`
	OIDC []OIDC `toml:"oidc" sample:"company" doc:"a provider of OpenID Connect, by which people log in on the web" note:"NAME stands in addresses: the provider is told https://…/login/oidc/NAME/callback, and https://…/login/oidc/NAME/logout for the end of sessions. No environment form."`

	PasswordStrength int    `toml:"password_strength" default:"2" min:"0" max:"4" live:"true" doc:"how hard a new password must be to guess: 0 no matter, 1 10^3 guesses, 2 10^6, 3 10^8, 4 10^10" note:"Passwords that there are stay good. At least 8 characters are asked for in any case."`
	BadPasswords     string `toml:"bad_passwords" type:"path" example:"/etc/trivium/bad-passwords.txt" doc:"a file of passwords that nobody may choose, one to a line, beside the common ones that are built in" note:"Read at the start; 8 bytes of memory for each line."`
	InviteLevel      string `toml:"invite_level" default:"staff" type:"level" doc:"who may invite people to make an account, of a level not above user" note:"From moderator on people invite up to below their own level."`
}

// Mail is the section [mail].
type Mail struct {
	Host     string `toml:"host" example:"smtp.example.org" doc:"the server that takes mails; empty: none are sent"`
	Port     int    `toml:"port" default:"587" min:"1" max:"65535" doc:"its port"`
	TLS      string `toml:"tls" default:"starttls" values:"starttls|tls|off" doc:"starttls and tls are demanded; off is for a server on this machine"`
	User     string `toml:"user" example:"trivium" doc:"empty: no log-in"`
	Password Secret `toml:"password" type:"text" example:"@file:/etc/trivium/mail.password" doc:"of that user"`
	From     string `toml:"from" example:"trivium@example.org" doc:"address that mails come from; empty: noreply at the domain"`
}

// Provider is the section [provider].
type Provider struct {
	Enabled     bool          `toml:"enabled" default:"false" doc:"applications may let people log in by this server" note:"Needs web.public_url, which is the issuer. Which applications: trivium application, or the page Applications."`
	AccessLife  time.Duration `toml:"access_life" default:"15m" min:"60" doc:"how long an access token is good; it dies with its session or account before that"`
	RefreshLife time.Duration `toml:"refresh_life" default:"30d" min:"3600" doc:"how long a log-in at an application that is not used goes on"`
	KeyLife     time.Duration `toml:"key_life" default:"90d" min:"86400" doc:"how long a key signs ID tokens before the next one does"`
	LogoutHosts []string      `toml:"logout_hosts" type:"text" example:"hooks.example.org" doc:"hosts that applications may be told of log-outs at, beside those of their own addresses"`
}

// Limits is the section [limits]; SECURITY documents what each defends against.
type Limits struct {
	ConnectionsPerAddress     int           `toml:"connections_per_address" default:"0" live:"true" doc:"connections of one address, all listeners together"`
	UnauthenticatedPerAddress int           `toml:"unauthenticated_per_address" default:"20" live:"true" doc:"of them not logged in"`
	Unauthenticated           int           `toml:"unauthenticated" default:"2000" doc:"connections not logged in, whole server; the oldest is closed first"`
	Sessions                  int           `toml:"sessions" default:"50000" live:"true" doc:"sessions, whole server"`
	SessionsPerUserFTP        int           `toml:"sessions_per_user_ftp" default:"10" live:"true" doc:"FTP sessions of one account"`
	SessionsPerUserWeb        int           `toml:"sessions_per_user_web" default:"50" live:"true" doc:"web sessions of one account"`
	SessionsPerUserXMPP       int           `toml:"sessions_per_user_xmpp" default:"20" live:"true" doc:"XMPP sessions of one account"`
	LoginTimeout              time.Duration `toml:"login_timeout" default:"30s" min:"1" doc:"from accept to logged in, FTP and XMPP; nothing renews it"`
	TLSTimeout                time.Duration `toml:"tls_timeout" default:"10s" min:"1" doc:"TLS handshake"`
	HTTPHeaderTimeout         time.Duration `toml:"http_header_timeout" default:"10s" min:"1" doc:"HTTP request header"`
	HTTPBodyTimeout           time.Duration `toml:"http_body_timeout" default:"30s" min:"1" doc:"HTTP body of a form"`
	HTTPIdleTimeout           time.Duration `toml:"http_idle_timeout" default:"60s" min:"1" doc:"idle HTTP connection"`
	FTPIdleTimeout            time.Duration `toml:"ftp_idle_timeout" default:"300s" min:"1" doc:"FTP control connection idle after log-in"`
	FTPDataTimeout            time.Duration `toml:"ftp_data_timeout" default:"30s" min:"1" doc:"wait for the FTP data connection"`
	FTPStallTimeout           time.Duration `toml:"ftp_stall_timeout" default:"60s" min:"1" doc:"FTP transfer in which no byte moves"`
	FTPNoTransferTimeout      time.Duration `toml:"ftp_no_transfer_timeout" default:"0" doc:"FTP session without a transfer or listing; 0: no limit"`
	FTPSessionTimeout         time.Duration `toml:"ftp_session_timeout" default:"0" doc:"FTP session as a whole; 0: no limit"`
	FTPUploadRate             Size          `toml:"ftp_upload_rate" default:"0" live:"true" doc:"bytes a second of all FTP uploads of one account together"`
	FTPDownloadRate           Size          `toml:"ftp_download_rate" default:"0" live:"true" doc:"bytes a second of all FTP downloads of one account together"`
	FTPTransfers              int           `toml:"ftp_transfers" default:"0" live:"true" doc:"FTP transfers of one account at once"`
	LoginAttemptsFTP          int           `toml:"login_attempts_ftp" default:"3" min:"1" doc:"wrong log-ins of one FTP connection"`
	LoginAttemptsXMPP         int           `toml:"login_attempts_xmpp" default:"5" min:"2" doc:"wrong log-ins of one XMPP stream (RFC 6120 section 6.4.5: 2 to 5)"`
	BanAfter                  int           `toml:"ban_after" default:"10" live:"true" doc:"wrong log-ins of one address (/64 for IPv6) until it is banned on every listener; 0: never"`
	BanWindow                 time.Duration `toml:"ban_window" default:"10m" min:"1" live:"true" doc:"they count this long"`
	BanFor                    time.Duration `toml:"ban_for" default:"15m" min:"1" live:"true" doc:"length of the first ban; each further one is longer"`
	XMPPStanzaSize            Size          `toml:"xmpp_stanza_size" default:"256KiB" min:"10000" max:"67108864" doc:"largest stanza after log-in (RFC 6120 section 13.12: at least 10000 bytes)"`
	XMPPQueueSize             Size          `toml:"xmpp_queue_size" default:"1MiB" min:"65536" doc:"unsent output of one XMPP session"`

	BanWiden     int           `toml:"ban_widen" default:"8" live:"true" doc:"so many banned addresses of one /24 (/64 of a /56, /56 of a /48) ban the whole block; 0: never"`
	SessionsFTP  int           `toml:"sessions_ftp" default:"0" live:"true" doc:"sessions of the whole FTP road"`
	SessionsWeb  int           `toml:"sessions_web" default:"0" live:"true" doc:"sessions of the whole web road, WebDAV and the API among them"`
	SessionsXMPP int           `toml:"sessions_xmpp" default:"0" live:"true" doc:"sessions of the whole XMPP road"`
	WhenFullFTP  string        `toml:"when_full_ftp" default:"refuse" values:"refuse|oldest|idle" live:"true" doc:"what a log-in beyond sessions_per_user_ftp does: it is refused, or the session of the account that is oldest, or was idle for longest, gives way"`
	WhenFullWeb  string        `toml:"when_full_web" default:"idle" values:"refuse|oldest|idle" live:"true" doc:"the same beyond sessions_per_user_web"`
	WhenFullXMPP string        `toml:"when_full_xmpp" default:"refuse" values:"refuse|oldest|idle" live:"true" doc:"the same beyond sessions_per_user_xmpp"`
	XMPPMaxAge   time.Duration `toml:"xmpp_session_timeout" default:"0" doc:"XMPP session as a whole, however busy it is; 0: no limit"`
}

// Database is the section [database].
type Database struct {
	URL      string `toml:"url" default:"sqlite:trivium.db" type:"database" doc:"sqlite:FILE, relative to data_dir, or postgres://ROLE@HOST/DATABASE (docs/database.md)"`
	Password Secret `toml:"password" type:"text" example:"@file:/etc/trivium/database.password" doc:"of the role at a PostgreSQL server; empty: what PGPASSFILE or ~/.pgpass says"`
}

// Backup is the section [backup].
type Backup struct {
	Schedule  string   `toml:"schedule" default:"03:00" dev:"off" type:"clock" live:"true" doc:"when a backup is made each day, by the clock of this machine; off: never" note:"One that was missed, as the server did not run, is made soon after its start. None is made where it would fill the disk."`
	Keep      int      `toml:"keep" default:"7" min:"1" doc:"how many of those stay; what was made by hand stays until it is removed"`
	To        string   `toml:"to" default:"backups" type:"path" doc:"the folder of backups, relative to data_dir; better one on another disk"`
	EncryptTo []string `toml:"encrypt_to" type:"recipient" example:"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudt3nlasvt6a8g" doc:"public keys of age, any of whose private ones opens a backup; empty: not encrypted" note:"age-keygen -o backup.key makes a pair. Keep the private key elsewhere: a backup that is lost with its key is lost."`
}

// Log is the section [log].
type Log struct {
	Level  string `toml:"level" default:"info" values:"error|warn|info|debug|trace" live:"true" doc:"the least that is logged; trace shows protocol lines without their secrets"`
	Format string `toml:"format" default:"auto" values:"auto|text|json" doc:"auto: text on a terminal, else json"`
	Output string `toml:"output" default:"stderr" doc:"stderr, stdout, or the path of a file" type:"output"`
}

// Mount is one [[mount]].
type Mount struct {
	Path       string   `toml:"path" type:"mount" example:"/media" doc:"where clients see it" note:"One or two folders; not groups, pub or home."`
	Root       string   `toml:"root" type:"folder" example:"/srv/media" doc:"the folder, which must be there" note:"Absolute; it must not lie in data_dir or files.root, nor hold them, nor lie in that of another mount."`
	Owner      string   `toml:"owner" default:"root" type:"name" doc:"user, by name or uid, that owns what says nothing else"`
	Group      string   `toml:"group" default:"root" type:"name" doc:"group, by name or gid, of what says nothing else"`
	Mode       string   `toml:"mode" default:"0755" type:"mode" doc:"mode of the top" note:"2775 gives what is made in it the group, and that group its writing."`
	Umask      string   `toml:"umask" default:"022" type:"umask" doc:"mode bits that files and folders in it do not get"`
	Sticky     bool     `toml:"sticky" default:"false" doc:"only its owner removes an entry from the top"`
	ReadOnly   bool     `toml:"read_only" default:"false" doc:"nobody changes anything in it, root neither"`
	Quota      Size     `toml:"quota" default:"0" doc:"bytes that it may hold; 0: no limit"`
	QuotaFiles int      `toml:"quota_files" default:"0" doc:"files and folders that it may hold; 0: no limit"`
	Level      string   `toml:"level" default:"logged-in" type:"level" doc:"the least level that sees it" note:"Rules of [policy] such as \"file:/media/**\" hold beside it."`
	Groups     []string `toml:"groups" type:"name" example:"film,music" doc:"only members of one of these see it; empty: everybody who is logged in"`
	Anonymous  bool     `toml:"anonymous" default:"false" doc:"anonymous sessions see it too, whatever level says"`
}

// Class is one [[class]]: a client is in it when it is in one of From, in one of Hosts, in every
// class of All or in one class of Any; Not turns the answer round.
type Class struct {
	Name                  string   `toml:"name" type:"class" example:"lan" doc:"what sessions show"`
	From                  []string `toml:"from" type:"cidr" example:"192.168.0.0/16,fd00::/8" doc:"addresses and CIDR prefixes"`
	Hosts                 []string `toml:"hosts" type:"glob" example:"*.example.org" doc:"host names with * and ?; the name must lead back to the address"`
	All                   []string `toml:"all" type:"class" doc:"in every one of these classes"`
	Any                   []string `toml:"any" type:"class" doc:"in one of these classes"`
	Not                   bool     `toml:"not" default:"false" doc:"everybody but those"`
	Protocols             []string `toml:"protocols" values:"ftp|web|xmpp" example:"ftp,web,xmpp" doc:"the roads open to it; empty: all"`
	MaxSessions           int      `toml:"max_sessions" default:"0" doc:"sessions of the whole class; 0: no limit"`
	MaxSessionsPerAddress int      `toml:"max_sessions_per_address" default:"0" example:"10" doc:"sessions of one address; 0: no limit"`
	MaxLevel              string   `toml:"max_level" type:"level" example:"staff" doc:"nobody from here holds more; empty: no cap"`
	TLSRequired           bool     `toml:"tls_required" default:"false" doc:"no log-in without TLS"`
	SecondFactor          bool     `toml:"second_factor" default:"false" doc:"no log-in by a password alone" note:"As identity.second_factor, for whoever comes from here."`
	BothCertificate       bool     `toml:"certificate_and_password" default:"false" doc:"client certificate and password are wanted together" note:"As identity.certificate_and_password, for whoever comes from here."`
	TLSReuse              string   `toml:"tls_reuse" default:"inherit" values:"inherit|own|required|off" doc:"in the place of ftp.tls_reuse, which inherit leaves as it is"`
	FXP                   bool     `toml:"fxp" default:"false" doc:"FTP data connections may go to and come from other hosts (site to site)" note:"The policy must allow ftp:FXP too. Only for addresses that are trusted: it makes the server reach out (RFC 2577)."`
	MaxTransfers          int      `toml:"max_transfers" default:"0" doc:"FTP transfers of the whole class at once; 0: no limit"`
	UploadRate            Size     `toml:"upload_rate" default:"0" doc:"bytes a second of each FTP session's uploads; 0: no limit"`
	DownloadRate          Size     `toml:"download_rate" default:"0" doc:"bytes a second of each FTP session's downloads; 0: no limit"`
}
