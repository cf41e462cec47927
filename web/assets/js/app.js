// Comfort on top of pages that work without it: copy buttons, the menu, questions before what
// cannot be undone, fading of successes. No markup is made from strings.
import { live } from "./live.js";
import { upload } from "./upload.js";
import { selections } from "./selection.js";
import { zone } from "./zone.js";
import { connect } from "./connect.js";
import { passkeys, chatAnswers } from "./passkey.js";
import { doctor } from "./doctor.js";
import { shortcuts } from "./keys.js";
import { t } from "./words.js";

const say = (text) => {
	const region = document.getElementById("announce");
	region.textContent = "";
	setTimeout(() => { region.textContent = text; }, 50);
};

function copyButtons() {
	if (!navigator.clipboard) return; // an insecure origin: the field can be selected by hand
	for (const b of document.querySelectorAll("button[data-copy]")) {
		b.hidden = false;
		const label = b.textContent;
		b.addEventListener("click", async () => {
			const input = document.getElementById(b.dataset.copy);
			try {
				await navigator.clipboard.writeText(input.value);
				say(t("{what} copied", { what: label.replace(/^Copy\s*/, "") }));
			} catch {
				input.select();
				say(t("Not copied: the browser refused. The text is selected; copy it by hand."));
			}
		});
	}
}

function sharers() {
	if (!navigator.share) return;
	for (const b of document.querySelectorAll("button[data-share]")) {
		b.hidden = false;
		b.addEventListener("click", () => navigator.share({ url: document.getElementById(b.dataset.share).value }).catch(() => {}));
	}
}

function printers() {
	for (const b of document.querySelectorAll("button[data-print]")) {
		b.hidden = false;
		b.addEventListener("click", () => window.print());
	}
}

function menu() {
	const button = document.querySelector("[data-menu]");
	const nav = document.getElementById("nav");
	if (!button || !nav) return;
	const narrow = matchMedia("(max-width: 991px)");
	const show = () => { button.hidden = !narrow.matches; };
	const set = (open) => {
		nav.classList.toggle("open", open);
		button.setAttribute("aria-expanded", String(open));
		if (open) nav.querySelector("a")?.focus();
	};
	narrow.addEventListener("change", () => { show(); set(false); });
	button.addEventListener("click", () => set(!nav.classList.contains("open")));
	document.addEventListener("keydown", (e) => {
		if (e.key === "Escape" && nav.classList.contains("open")) { set(false); button.focus(); }
	});
	document.addEventListener("click", (e) => {
		if (nav.classList.contains("open") && !nav.contains(e.target) && !button.contains(e.target)) set(false);
	});
	show();
}

function dropdowns() {
	document.addEventListener("click", (e) => {
		for (const d of document.querySelectorAll("details.dropdown[open]")) if (!d.contains(e.target)) d.open = false;
	});
	document.addEventListener("keydown", (e) => {
		if (e.key !== "Escape") return;
		for (const d of document.querySelectorAll("details.dropdown[open]")) { d.open = false; d.querySelector("summary").focus(); }
	});
}

function messages() {
	document.querySelector("[data-focus]")?.focus();
	for (const a of document.querySelectorAll("[data-dismiss]")) {
		const b = document.createElement("button");
		b.type = "button";
		b.className = "close";
		b.textContent = t("Dismiss");
		b.addEventListener("click", () => { a.remove(); document.getElementById("main").focus(); });
		a.append(b);
	}
	for (const f of document.querySelectorAll("[data-fade]")) {
		setTimeout(() => { f.classList.add("gone"); setTimeout(() => f.remove(), 600); }, 6000);
	}
}

// One dialog asks before forms that say so; focus returns to the button.
function confirmations() {
	document.addEventListener("submit", (e) => {
		const form = e.target;
		const question = form.dataset.confirm;
		if (!question || form.dataset.sure) return;
		e.preventDefault();
		const opener = e.submitter;
		const dialog = document.createElement("dialog");
		const title = document.createElement("h2");
		title.textContent = question;
		title.id = "question";
		dialog.setAttribute("aria-labelledby", title.id);
		const row = document.createElement("p");
		row.className = "actions";
		const yes = document.createElement("button");
		yes.className = "danger solid";
		yes.textContent = opener?.textContent?.trim() || t("Yes");
		const no = document.createElement("button");
		no.textContent = t("Cancel");
		row.append(yes, no);
		dialog.append(title, row);
		document.body.append(dialog);
		no.addEventListener("click", () => dialog.close());
		yes.addEventListener("click", () => { form.dataset.sure = "1"; dialog.close(); form.requestSubmit(opener ?? undefined); });
		dialog.addEventListener("close", () => { dialog.remove(); opener?.focus(); });
		dialog.showModal();
		no.focus();
	}, true);
}

// A form is sent once; the button comes back when the page does.
function once() {
	document.addEventListener("submit", (e) => {
		if (e.defaultPrevented || e.target.method !== "post") return;
		setTimeout(() => { for (const b of e.target.querySelectorAll("button:not(:disabled)")) { b.disabled = true; b.dataset.sent = "1"; } });
	});
	addEventListener("pageshow", () => { for (const b of document.querySelectorAll("button[data-sent]")) b.disabled = false; });
}

function strength() {
	for (const input of document.querySelectorAll("input[data-strength]")) {
		const out = document.getElementById(input.dataset.strength);
		input.addEventListener("input", () => {
			const n = [...input.value].length;
			const kinds = new Set(input.value).size;
			out.hidden = n === 0;
			out.textContent = n < 8 ? t("Too short: {n} more.", { n: 8 - n }) : kinds < 5 ? t("Weak: few different characters.") : n < 12 ? t("Fair.") : n < 16 ? t("Good.") : t("Strong.");
		});
	}
}

// A file is read into a text field, so that the form needs no upload.
function readers() {
	for (const part of document.querySelectorAll("[data-read-into]")) {
		const most = 65536;
		const into = document.getElementById(part.dataset.readInto);
		const input = part.querySelector("input[type=file]");
		part.hidden = false;
		input.addEventListener("change", async () => {
			const file = input.files[0];
			if (!file) return;
			if (file.size > most) { say(t("The file is too large to be a certificate.")); return; }
			into.value = await file.text();
			say(t("{name} read", { name: file.name }));
		});
	}
}

copyButtons();
readers();
printers();
sharers();
menu();
dropdowns();
messages();
confirmations();
once();
strength();
connect();
passkeys();
doctor();
chatAnswers();
selections();
zone();
live(say);
upload(say);
shortcuts();
document.documentElement.dataset.ready = "1";
