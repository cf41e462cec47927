package identity

// Road is one of the three ways in; policy, token scopes and classes speak of roads.
type Road string

// The three roads.
const (
	RoadFTP  Road = "ftp"
	RoadWeb  Road = "web"
	RoadXMPP Road = "xmpp"
)

// Protocol is what a session speaks. TLS is a field of its own.
type Protocol string

// The protocols.
const (
	ProtocolFTP       Protocol = "ftp"
	ProtocolWeb       Protocol = "web"
	ProtocolDAV       Protocol = "dav"
	ProtocolAPI       Protocol = "api"
	ProtocolXMPP      Protocol = "xmpp"
	ProtocolS2S       Protocol = "s2s"
	ProtocolComponent Protocol = "component"
)

// Road says which road the protocol belongs to.
func (p Protocol) Road() Road {
	switch p {
	case ProtocolFTP:
		return RoadFTP
	case ProtocolXMPP, ProtocolS2S, ProtocolComponent:
		return RoadXMPP
	default:
		return RoadWeb
	}
}
