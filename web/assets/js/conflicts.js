// What is done where something of the same name stands, settled before the first byte is sent.
import { make, ask, bytes } from "./make.js";
import { t } from "./words.js";

const batch = 200; // names of one question to the server
const shown = 100; // conflicts that are settled one by one

// standing asks which of these names are taken.
async function standing(form, names) {
	const found = new Map();
	for (let i = 0; i < names.length; i += batch) {
		const body = new URLSearchParams([["csrf", form.elements.csrf.value], ["do", "standing"], ...names.slice(i, i + batch).map((n) => ["name", n])]);
		const res = await fetch(form.action, { method: "POST", body, headers: { "X-Trivium-Part": "standing" } });
		if (!res.ok || res.redirected) return found; // each upload says what is wrong
		for (const s of await res.json()) found.set(s.name, s);
	}
	return found;
}

const ways = [["keep", t("Keep both")], ["replace", t("Replace")], ["skip", t("Skip")]];

function choice(name) {
	const s = make("select", { data: { testid: "conflict" } }, ...ways.map(([value, label]) => make("option", { value }, label)));
	s.setAttribute("aria-label", name);
	return s;
}

// settle adds to each item what to do, and leaves out what is skipped; null where the whole is given up.
export async function settle(form, items) {
	const found = await standing(form, items.map((i) => i.name));
	if (found.size === 0) return items;
	if (form.elements.replace.checked) {
		for (const i of items) if (found.has(i.name)) i.taken = "replace";
		return items;
	}
	const taken = items.filter((i) => found.has(i.name));
	const all = choice(t("All of them"));
	const each = taken.slice(0, shown).map((i) => [i, choice(i.name)]);
	all.addEventListener("change", () => { for (const [, s] of each) s.value = all.value; });
	const rows = each.map(([i, s]) => make("li", {}, make("span", {}, i.name, make("br"),
		make("span", { className: "small muted" }, found.get(i.name).dir ? t("a folder is there") : t("there {size}, yours {own}", { size: bytes(found.get(i.name).size), own: bytes(i.file.size) }))), s));
	const more = taken.length > shown ? [make("p", { className: "small muted" }, t("And {n} more, with which the same is done as with all.", { n: taken.length - shown }))] : [];
	const title = taken.length === 1 ? t("1 file is there already") : t("{n} files are there already", { n: taken.length });
	const answer = await ask(title, [make("p", { hidden: taken.length === 1 }, make("label", {}, t("All of them: "), all)), make("ul", { className: "plain conflicts" }, ...rows), ...more],
		[["go", "Upload", "primary"], ["", "Cancel"]]);
	if (answer !== "go") return null;
	for (const i of taken) i.taken = all.value;
	for (const [i, s] of each) i.taken = s.value;
	return items.filter((i) => i.taken !== "skip");
}
