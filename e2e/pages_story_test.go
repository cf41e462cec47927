package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// copied clicks on a button that copies, and gives what is on the clipboard then.
func (b *person) copied(button string) string {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`navigator.clipboard.writeText("").then(() => undefined)`, chromedp.EvalAwaitPromise))
	b.click("button", button)
	b.until(`(await navigator.clipboard.readText()) !== ""`)
	return eval[string](b, `navigator.clipboard.readText()`)
}

// menu goes where the navigation leads, as a hand does it on a phone.
func (b *person) menu(name string) {
	b.t.Helper()
	b.until(`document.documentElement.dataset.ready === "1"`)
	if eval[bool](b, `matchMedia("(max-width: 991px)").matches`) {
		b.click("button", "Menu")
	}
	b.click("link", name)
}

// firstDay is the first day of a server, by somebody who has never seen one: from the printed link to a friend
// who chats on a phone. No address is typed but that link and the invitation's; everything is found by what it
// is and what it is called.
func TestFirstDay(t *testing.T) {
	p := &pages{ctx: browse(t), s: serve(t)}
	p.base, _, _ = strings.Cut(p.s.setup, "/setup?")
	own := p.person(t)
	own.clipboard()
	own.do(chromedp.Navigate(p.s.setup))
	own.types("User name", "ada")
	own.types("Password", "Green-Harbour-Lantern-42")
	own.click("button", "Create and continue")
	own.sees("heading", "First steps")

	// A friend is invited.
	own.menu("Invitations")
	own.sees("heading", "Invitations")
	own.types("Note", "for Ben")
	own.click("button", "Make a link")
	own.sees("image", "…QR code…")
	invitation := own.copied("Copy link")

	// On the friend's phone.
	friend := p.person(t)
	friend.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))

	friend.do(chromedp.Navigate(invitation))
	friend.sees("heading", "…Join…")
	friend.types("User name", "ben")
	friend.types("Password", "Quiet-Orchard-Ladder-17")
	friend.click("button", "Create account")
	friend.sees("heading", "Connect")
	if over := eval[int](friend, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		t.Errorf("the phone scrolls %d px to the side", over)
	}

	// A picture is dropped on the page, and shared.
	own.menu("Files")
	own.sees("heading", "Files")
	own.drops(write(t, t.TempDir(), "harbour.png", picture(40, 90, 160)))
	own.sees("link", "harbour.png")
	own.click("link", "Share harbour.png")
	own.click("button", "Create link")
	own.sees("heading", "Shares")
	link := own.copied("Copy link")
	guest := p.person(t)
	guest.do(chromedp.Navigate(link))
	guest.sees("image", "harbour.png")
	guest.until(`[...document.querySelectorAll("main img")].some((i) => i.complete && i.naturalWidth > 100)`)
	guest.sees("link", "Download")

	// The friend chats.
	friend.menu("Chat")
	friend.until(`document.querySelector('#chat[data-state="open"]')`)

	// And is sent away, on all roads.
	own.menu("Users")
	own.click("link", "ben")
	own.click("button", "End all sessions")
	own.click("button", "End all sessions") // it asks once
	own.sees("status", "…")
	friend.until(`document.querySelector('#chat[data-state="ended"]')`)
	friend.menu("Files")
	friend.sees("heading", "Log in")
	if left := p.s.sessions(t, "--user", "ben"); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	own.allow("favicon")
	friend.allow("401", "503")
}
