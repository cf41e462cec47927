// A table that follows the server: an event says which rows changed, these rows are fetched and put in
// the place of the old ones. A row that holds the focus is left until the next time.
import { t } from "./words.js";
import { Stream } from "./stream.js";

const quiet = 6000; // ms without the stream until it is called lost
const tick = 15000; // ms between two looks at how long ago things were

// fetchPage lets the browser parse the answer as a document; no string becomes markup here.
function fetchPage(only) {
	const url = new URL(location.href);
	if (only) url.searchParams.set("only", only);
	return new Promise((resolve, reject) => {
		const x = new XMLHttpRequest();
		x.open("GET", url);
		x.setRequestHeader("X-Trivium-Part", "rows");
		x.responseType = "document";
		x.onload = () => (x.status === 200 && x.response && !x.responseURL.includes("/login") ? resolve(x.response) : reject(new Error(String(x.status))));
		x.onerror = () => reject(new Error("network"));
		x.send();
	});
}

// take gives the row that came in the place of the one that stands there, with its tick.
function take(before, row) {
	if (before && (before.contains(document.activeElement) || before.isEqualNode(row))) return before;
	const fresh = document.importNode(row, true);
	const old = before?.querySelector(".tick input");
	const box = fresh.querySelector(".tick input");
	if (old && box) box.checked = old.checked;
	return fresh;
}

// replaceRows returns the rows that ended, or null where a row is missing that was not sent.
function replaceRows(table, fresh) {
	const body = table.tBodies[0];
	const old = new Map([...body.rows].map((r) => [r.dataset.id, r]));
	const sent = new Map([...fresh.tBodies[0].rows].map((r) => [r.dataset.id, r]));
	const order = fresh.dataset.order ? fresh.dataset.order.split(" ") : [...sent.keys()];
	const rows = [];
	for (const id of order) {
		const before = old.get(id);
		const row = sent.get(id);
		if (!row && !before) return null;
		old.delete(id);
		rows.push(row ? take(before, row) : before);
	}
	// Rows of a log do not end: the oldest leave the page. Nor do those of one page of many.
	const pages = document.querySelector("nav.pages");
	const gone = table.dataset.liveTable === "log" || pages ? [] : [...old.values()].filter((r) => r.dataset.id && r.dataset.state !== "ended");
	for (const r of gone) {
		r.dataset.state = "ended";
		r.classList.add("ended");
		const word = r.querySelector(".badge.state");
		if (word) word.textContent = t("ended");
		r.querySelector(".act")?.replaceChildren();
		r.querySelector(".tick")?.replaceChildren();
		setTimeout(() => r.remove(), 5000);
		rows.push(r);
	}
	const focus = document.activeElement;
	body.replaceChildren(...rows);
	if (focus && body.contains(focus)) focus.focus({ preventScroll: true });
	return gone;
}

// ago keeps "2 min ago" true while nothing else changes; what is older than two days stays as it came.
function ago() {
	const [now, seconds, minutes, hours] = (document.body.dataset.ago ?? "just now|# s ago|# min ago|# h ago").split("|"); // in the page's language
	for (const t of document.querySelectorAll("[data-live-table] time[datetime]")) {
		const s = Math.floor((Date.now() - Date.parse(t.dateTime)) / 1000);
		if (!(s >= 0) || s >= 48 * 3600) continue;
		const text = s < 5 ? now : s < 60 ? seconds.replace("#", s) : s < 3600 ? minutes.replace("#", Math.floor(s / 60)) : hours.replace("#", Math.floor(s / 3600));
		if (t.textContent !== text) t.textContent = text;
	}
}

// notices keeps the number of unread notifications in the header true, by the page's own stream.
function notices(e) {
	const bell = document.querySelector("[data-notices]");
	const count = bell?.querySelector("[data-notices-count]");
	if (!count) return;
	bell.dataset.notices = count.textContent = e.data;
	count.hidden = e.data === "0";
}

export function live(say) {
	const url = document.body.dataset.live;
	const table = document.querySelector("[data-live-table]");
	const status = document.querySelector("[data-live-status]");
	if (url && window.EventSource && !(table && status)) {
		const source = new Stream(url, { notices }, () => {});
		addEventListener("pagehide", () => source.close());
	}
	if (!url || !table || !status || !window.EventSource) return;
	let lost = 0;
	let busy = false;
	let waiting = null; // ids that changed while a fetch runs; "*": all
	const show = (text, bad) => {
		status.hidden = false;
		status.classList.toggle("lost", bad);
		if (status.textContent !== text) status.textContent = text;
	};
	const refresh = async (ids) => {
		if (busy) { waiting = waiting === "*" || ids === "*" ? "*" : [waiting, ids].filter(Boolean).join(" "); return; }
		busy = true;
		try {
			let page = await fetchPage(table.dataset.order !== undefined && ids !== "*" ? ids : "");
			let ended = replaceRows(table, page.querySelector("[data-live-table]"));
			if (!ended) {
				page = await fetchPage("");
				ended = replaceRows(table, page.querySelector("[data-live-table]")) ?? [];
			}
			if (ended.length === 1) say(t("Session of {user} over {protocol} ended.", ended[0].dataset));
			else if (ended.length > 1) say(t("{n} sessions ended.", { n: ended.length }));
			const count = document.querySelector("[data-live-count]");
			const now = page.querySelector("[data-live-count]");
			if (count && now) count.textContent = now.textContent;
			document.dispatchEvent(new Event("rows"));
			show(t("Live"), false);
		} catch (e) {
			if (/^(network|5)/.test(e.message)) { // the server is away; the stream says when it is back
				show(t("Connection lost, retrying."), true);
			} else {
				stale();
				source.close();
			}
		}
		busy = false;
		if (waiting) { const next = waiting; waiting = null; refresh(next); }
	};
	const stale = () => { clearTimeout(lost); show(t("Not up to date: reload the page."), true); };
	const source = new Stream(url, {
		notices,
		ready: () => { clearTimeout(lost); lost = 0; show(t("Live"), false); refresh("*"); },
		changed: (e) => { if (e.data) refresh(e.data); },
		error: () => { if (!lost) lost = setTimeout(() => show(t("Connection lost, retrying."), true), quiet); },
	}, stale);
	setInterval(ago, tick);
	addEventListener("pagehide", () => source.close());
}
