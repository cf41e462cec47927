package web

import (
	"context"
	"net/http"
	"strings"

	"trivium/identity"
)

// Chat is how the pages reach the chat road.
type Chat struct {
	Socket   string // path of XMPP over WebSocket; "": no chat in the browser
	Clear    bool   // chat may be opened over plain HTTP
	Register bool   // people make their account by invitation in a chat app

	// Contacts is the contact list of an account; nil: there is none.
	Contacts func(ctx context.Context, a identity.Account) ([]Contact, error)
	// Book changes that list; nil: nobody can.
	Book ContactBook
	// Pictures are the avatars of accounts; nil: there are none.
	Pictures Pictures
}

// chatClient is what the list of sessions calls the page of chat.
const chatClient = "converse.js/Web"

// converse is where the files of converse.js lie among those of others.
const converse = "converse/"

type chatView struct {
	page
	JID            string
	Socket         string // path
	Script, Styles string // of converse.js; Script is "" in a build without, and where the page is Insecure
	Insecure       bool   // it came over plain HTTP, and chat wants TLS
	Files          string // where its other files are
	Lang           string
}

// chatRoutes are the rows of chat in the browser and of contacts.
func (s *Server) chatRoutes() []route {
	const in, get, post = identity.LevelLoggedIn, http.MethodGet, http.MethodPost
	return []route{
		{Method: get, Path: "/chat", Level: in, Page: "chat", nav: "Chat", icon: "chat", only: s.mayChat, handle: s.getChat},
		{Method: post, Path: "/chat/token", Level: in, Page: "chat", only: s.mayChat, handle: s.postChatToken},
		{Method: get, Path: "/contacts", Level: in, Page: "contacts", nav: "Contacts", icon: "person", only: s.mayContact, handle: s.getContacts},
		{Method: post, Path: "/contacts/invite", Level: in, Page: "contacts", only: s.mayContact, handle: s.postInviteContact},
		{Method: post, Path: "/contacts/list/:verb", Level: in, Page: "contacts", only: s.mayContact, handle: s.postContact},
		{Method: post, Path: "/contacts/:id/revoke", Level: in, Page: "contacts", only: s.mayContact, handle: s.postRevokeContact},
		// The picture of an account, as chat has it.
		{Method: get, Path: "/account/picture", Level: in, Page: "account", handle: s.getPicture},
		{Method: post, Path: "/account/picture", Level: in, Page: "account", upload: true, handle: s.postPicture},
		{Method: post, Path: "/account/picture/remove", Level: in, Page: "account", handle: s.postRemovePicture},
		{Method: get, Path: "/profile", Level: in, Page: "account", handle: func(v *visit) error { return v.see("/account") }},
	}
}

// mayChat says who has the page of chat: whoever could log in on the chat road.
func (s *Server) mayChat(v *visit) bool {
	return s.opt.Chat != nil && s.opt.Chat.Socket != "" && v.browser != nil && s.opt.Identity.MayChat(v.browser.Session)
}

func (s *Server) getChat(v *visit) error {
	view := &chatView{JID: v.creds.BareJID(), Socket: s.opt.Chat.Socket,
		Script: s.assets.vendor(converse + "converse.min.js"), Styles: s.assets.vendor(converse + "converse.min.css")}
	if view.Insecure = !s.opt.Chat.Clear && !s.secure(v.Request()); view.Insecure {
		view.Script = "" // it would only find that it cannot connect
	}
	view.Files = strings.TrimSuffix(view.Script, "/converse.min.js")
	if view.Lang, _, _ = strings.Cut(v.words.Tag, "-"); view.Lang != "de" {
		view.Lang = "en" // of converse.js's own words these two are here
	}
	v.fill(&view.page, "chat", "chat.title")
	if view.Script != "" {
		v.Response().Header().Set("Content-Security-Policy", chatPolicy(v.Request().Host))
	}
	return s.write(v, http.StatusOK, "chat", view)
}

// chatPolicy is that of other pages but for what converse.js cannot do without: it writes styles, and
// markup. Browsers that do not count a WebSocket of one's own origin to 'self' are told its address;
// pictures of other hosts stay out.
func chatPolicy(host string) string {
	socket := ""
	if host != "" && !strings.ContainsFunc(host, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-:[]", c)
	}) {
		socket = " wss://" + host
	}
	return "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
		"font-src 'self'; connect-src 'self'" + socket + "; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// chatPass is what the page logs in with on the chat road, once.
type chatPass struct {
	JID      string `json:"jid"`
	Password string `json:"password"`
}

func (s *Server) postChatToken(v *visit) error {
	jid, pass, err := s.opt.Identity.ChatPass(v.ctx(), v.browser, chatClient)
	if err != nil {
		a := s.answer(err)
		retryAfter(v.Response().Header(), err)
		if a.fallback {
			return err
		}
		s.tell(v, a.status, a.words(v.words, err))
		return nil
	}
	return v.JSON(http.StatusOK, chatPass{jid, pass.Reveal()})
}

// clientOf names what a session of chat is used with, where that is known; "" else.
func clientOf(i *identity.Info) string {
	if ua := deref(i.UserAgent); ua == chatClient {
		return ua
	}
	return ""
}
