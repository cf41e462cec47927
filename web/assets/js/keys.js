// Keys as shortcuts: of the whole site, of tables, and of files. They are off where the person has said so, and
// never do anything while somebody types, or with a dialog open (WCAG 2.2, 2.1.4).
import { at } from "./below.js";
import { make } from "./make.js";
import { t } from "./words.js";

const places = { h: ["/", () => t("Home")], f: ["/files/", () => t("Files")], s: ["/sessions", () => t("Sessions")], c: ["/chat", () => t("Chat")], a: ["/admin", () => t("Administration")] };
const wait = 1500; // milliseconds between the two keys of a sequence

const typing = (e) => e.isContentEditable || e.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])");
const rows = () => [...document.querySelectorAll("main table.cards tbody tr")];
const here = () => document.activeElement?.closest("main table.cards tbody tr");
const handle = (row) => row.querySelector("td.name a") ?? row.querySelector("a[href], button, input, summary");
const place = (path) => [...document.querySelectorAll("#nav a")].find((a) => a.getAttribute("href") === at(path));

function focus(row) {
	const e = row && handle(row);
	if (!e) return false;
	e.focus();
	row.scrollIntoView({ block: "nearest" });
	return true;
}

// step goes to a row further down or up; from nowhere to the first or the last.
function step(by) {
	const list = rows();
	const i = list.indexOf(here());
	return focus(list[i < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(Math.max(i + by, 0), list.length - 1)]);
}

// across is how many tiles stand beside one another; 1 in a list.
function across() {
	const list = rows();
	const n = list.findIndex((r) => r.offsetTop !== list[0].offsetTop);
	return n < 0 ? list.length : n;
}

// follow clicks a link or a button, where there is one.
function follow(e) {
	e?.click();
	return Boolean(e);
}

// unfold opens a tool above the files, and goes to its first field.
function unfold(form) {
	const tool = form?.closest("details");
	if (!tool) return false;
	tool.open = true;
	form.querySelector("input:not([type=hidden], [type=checkbox]), button").focus();
	return true;
}

const ticked = () => document.querySelector(".tick input[name]:checked");
const upload = () => document.querySelector("form[data-upload]:not([data-adds])");
const folder = () => document.querySelector("form input[name=do][value=mkdir]")?.form;
const link = (key) => document.querySelector(`a[data-key="${key}"]`);
const tiles = () => document.querySelector("table.tiles") && across() > 1;

// What each key does; false where there is nothing to do, and the browser has the key.
const keys = {
	"/": () => { const q = document.querySelector("main input[type=search]"); q?.focus(); q?.select(); return Boolean(q); },
	j: () => step(1),
	k: () => step(-1),
	x: () => { const box = here()?.querySelector(".tick input"); return follow(box); },
	u: () => unfold(upload()),
	n: () => unfold(folder()),
	ArrowDown: () => Boolean(here()) && step(tiles() ? across() : 1),
	ArrowUp: () => Boolean(here()) && step(tiles() ? -across() : -1),
	ArrowLeft: () => (here() && tiles() ? step(-1) : follow(link("ArrowLeft"))),
	ArrowRight: () => (here() && tiles() ? step(1) : follow(link("ArrowRight"))),
	Backspace: () => follow(link("Backspace")),
	F2: () => follow(here()?.querySelector('a[href*="?rename="]')),
	Delete: () => (ticked() ? follow(document.querySelector('#selected button[value="remove"]')) : follow(here()?.querySelector('a[href*="?delete="]'))),
	Escape: () => { if (!here() || document.querySelector("details.dropdown[open]")) return false; document.activeElement.blur(); return true; },
	"?": () => { show(); return true; },
};

// listed are the keys that do something on this page, with what that is.
function listed() {
	const list = Object.entries(places).filter(([, [path]]) => place(path)).map(([key, [, name]]) => [["g", key], t("Go to {page}", { page: name() })]);
	if (document.querySelector("main input[type=search]")) list.push([["/"], t("Search")]);
	if (rows().length) list.push([["j"], t("Next row")], [["k"], t("Row before")], [["Enter"], t("Open")], [["Esc"], t("Leave the rows")]);
	if (document.querySelector(".tick input")) list.push([["x"], t("Tick the row")], [["Ctrl", "A"], t("Tick all of this page")]);
	if (document.querySelector('a[href*="?rename="]')) list.push([["F2"], t("Rename")]);
	if (document.querySelector('a[href*="?delete="]')) list.push([["Del"], t("Delete")]);
	if (upload()) list.push([["u"], t("Upload")]);
	if (folder()) list.push([["n"], t("New folder")]);
	if (link("Backspace")) list.push([["Backspace"], t("Folder above")]);
	if (link("ArrowLeft") || link("ArrowRight")) list.push([["←"], t("File before")], [["→"], t("Next file")]);
	list.push([["?"], t("This list")]);
	return list;
}

function show() {
	const opener = document.activeElement;
	const head = make("h2", { id: "keys-title" }, t("Keyboard shortcuts"));
	const table = make("dl", { className: "keys" });
	for (const [names, what] of listed()) table.append(make("dt", {}, ...names.map((n) => make("kbd", {}, n))), make("dd", {}, what));
	const close = make("button", { type: "button", className: "primary" }, t("Close"));
	const dialog = make("dialog", { data: { testid: "keys" } }, head, table, make("p", { className: "small muted" }, t("They can be turned off in the account menu.")), make("p", { className: "actions" }, close));
	dialog.setAttribute("aria-labelledby", head.id);
	close.addEventListener("click", () => dialog.close());
	dialog.addEventListener("close", () => { dialog.remove(); opener?.focus?.(); });
	document.body.append(dialog);
	dialog.showModal();
	close.focus();
}

export function shortcuts() {
	if (document.body.dataset.keys === "off" || document.body.dataset.page === "chat") return;
	const button = document.querySelector("[data-keys-list]");
	if (button) {
		button.hidden = false;
		button.addEventListener("click", () => { button.closest("details").open = false; show(); });
	}
	let began = -wait; // when g was pressed
	document.addEventListener("keydown", (e) => {
		if (e.defaultPrevented || e.isComposing || e.altKey || e.metaKey || typing(e.target) || document.querySelector("dialog[open]")) return;
		if (e.ctrlKey) {
			if (e.key.toLowerCase() === "a" && !e.shiftKey && follow(document.querySelector("th.tick input:not(:checked)"))) e.preventDefault();
			return;
		}
		const second = e.timeStamp - began < wait && places[e.key];
		began = e.key === "g" ? e.timeStamp : -wait;
		if (second ? follow(place(second[0])) : keys[e.key]?.()) e.preventDefault();
	});
}
