// Uploads by choosing, and by dropping files and folders anywhere on the page. The form is the one that
// works without script; where the module for resumable uploads is not there, it is left alone.
import { make, ask } from "./make.js";
import { carries, chosen, dropped } from "./gather.js";
import { settle } from "./conflicts.js";
import { Queue, forget, unfinished } from "./queue.js";
import { t } from "./words.js";

// refresh puts the folder's table, as it is now, in the place of the page's.
function refresh() {
	const x = new XMLHttpRequest();
	x.open("GET", location.href);
	x.setRequestHeader("X-Trivium-Part", "rows");
	x.responseType = "document";
	x.onload = () => {
		for (const part of [".scroll, [data-testid=empty-state]", ".head", "[data-testid=quota-bar]"]) {
			const fresh = x.response?.querySelector(part);
			const old = document.querySelector(part);
			if (fresh && old) old.replaceWith(document.importNode(fresh, true));
		}
	};
	x.send();
}

export async function upload(say) {
	const form = document.querySelector("form[data-upload]");
	const panel = document.querySelector("[data-queue]");
	if (!form || !panel || !window.tus?.isSupported) return;
	const adds = "adds" in form.dataset; // a drop box: nothing is listed, asked about, or gone on with by another visit
	const queue = new Queue(panel, form, { say, done: adds ? () => {} : refresh });
	const close = () => { const d = form.closest("details"); if (d) d.open = false; };
	const start = async (items) => {
		if (adds) {
			for (const i of items) i.taken = "keep";
			if (items.length > 0) queue.add(items);
			return;
		}
		const settled = items.length > 0 ? await settle(form, items) : null;
		if (settled?.length > 0) queue.add(settled);
	};
	form.addEventListener("submit", (e) => {
		const items = chosen(form.elements.file);
		if (items.length === 0) return;
		e.preventDefault();
		form.elements.file.value = "";
		close();
		start(items);
	});
	const folder = form.querySelector("[data-folder]");
	if (folder) {
		folder.parentElement.hidden = false;
		folder.addEventListener("change", () => { const items = chosen(folder); folder.value = ""; close(); start(items); });
	}

	const target = make("div", { className: "drop-target", hidden: true }, make("p", {}, t("Drop to upload to {folder}", { folder: form.dataset.upload })));
	document.body.append(target);
	addEventListener("dragover", (e) => { if (carries(e)) { e.preventDefault(); target.hidden = false; } });
	addEventListener("dragleave", (e) => { if (!e.relatedTarget) target.hidden = true; });
	addEventListener("drop", async (e) => {
		if (!carries(e)) return;
		e.preventDefault();
		target.hidden = true;
		const stop = new AbortController();
		const count = make("span", {}, t("0 files"));
		const cancel = make("button", { type: "button", className: "small-button" }, t("Cancel"));
		cancel.addEventListener("click", () => stop.abort());
		const note = make("div", { className: "queue reading", data: { testid: "upload-reading" } }, make("p", {}, t("Reading what was dropped… "), count, " ", cancel));
		document.body.append(note);
		try {
			await start(await dropped(e.dataTransfer, (n) => { count.textContent = n === 1 ? t("1 file") : t("{n} files", { n }); }, stop.signal).finally(() => note.remove()));
		} catch {
			await ask(t("Not everything could be read"), [make("p", {}, t("The browser could not read all that was dropped, so nothing was sent. Choose the files or the folder instead."))], [["", t("Close"), "primary"]]);
		}
	});

	const left = adds ? [] : await unfinished();
	if (left.length === 0) return;
	const note = make("div", { className: "card unfinished", data: { testid: "upload-unfinished" } }, make("p", {}, left.length === 1 ? t("1 upload was not finished. Choose the same file again to go on with it.") : t("{n} uploads were not finished. Choose the same files again to go on with them.", { n: left.length })));
	const drop = make("button", { type: "button", className: "small-button" }, t("Forget them"));
	drop.addEventListener("click", () => forget(left).then(() => note.remove()));
	note.append(drop);
	form.closest(".tools").after(note);
}
