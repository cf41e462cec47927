// A table that follows the server: an event says that the list changed, the page is fetched again
// and its rows are put in place of the old ones. A row that holds the focus or an open dialog's
// button is left until the next time.

const quiet = 6000; // ms without the stream until it is called lost

// fetchPage lets the browser parse the answer as a document; no string becomes markup here.
function fetchPage() {
	return new Promise((resolve, reject) => {
		const x = new XMLHttpRequest();
		x.open("GET", location.href);
		x.setRequestHeader("X-Trivium-Part", "rows");
		x.responseType = "document";
		x.onload = () => (x.status === 200 && x.response && !x.responseURL.includes("/login") ? resolve(x.response) : reject(new Error(String(x.status))));
		x.onerror = () => reject(new Error("network"));
		x.send();
	});
}

function replaceRows(table, fresh) {
	const body = table.tBodies[0];
	const old = new Map([...body.rows].map((r) => [r.dataset.id, r]));
	const rows = [];
	for (const row of [...fresh.tBodies[0].rows]) {
		const before = old.get(row.dataset.id);
		old.delete(row.dataset.id);
		if (before && (before.contains(document.activeElement) || before.isEqualNode(row))) rows.push(before);
		else rows.push(document.importNode(row, true));
	}
	// Rows of a log do not end: the oldest leave the page.
	const gone = table.dataset.liveTable === "log" ? [] : [...old.values()].filter((r) => r.dataset.id && r.dataset.state !== "ended");
	for (const r of gone) {
		r.dataset.state = "ended";
		r.classList.add("ended");
		const word = r.querySelector(".badge.state");
		if (word) word.textContent = "ended";
		r.querySelector(".act")?.replaceChildren();
		setTimeout(() => r.remove(), 5000);
		rows.push(r);
	}
	const focus = document.activeElement;
	body.replaceChildren(...rows);
	if (focus && body.contains(focus)) focus.focus({ preventScroll: true });
	return gone;
}

export function live(say) {
	const url = document.body.dataset.live;
	const table = document.querySelector("[data-live-table]");
	const status = document.querySelector("[data-live-status]");
	if (!url || !table || !status || !window.EventSource) return;
	let lost = 0;
	let busy = false;
	let again = false;
	const show = (text, bad) => {
		status.hidden = false;
		status.classList.toggle("lost", bad);
		if (status.textContent !== text) status.textContent = text;
	};
	const refresh = async () => {
		if (busy) { again = true; return; }
		busy = true;
		try {
			const page = await fetchPage();
			const fresh = page.querySelector("[data-live-table]");
			if (!fresh) throw new Error("no table");
			for (const r of replaceRows(table, fresh)) {
				say(`Session of ${r.dataset.user} over ${r.dataset.protocol} ended.`);
			}
			const count = document.querySelector("[data-live-count]");
			const now = page.querySelector("[data-live-count]");
			if (count && now) count.textContent = now.textContent;
			show("Live", false);
		} catch {
			show("Not up to date: reload the page.", true);
			source.close();
		}
		busy = false;
		if (again) { again = false; refresh(); }
	};
	const source = new EventSource(url);
	source.addEventListener("ready", () => { clearTimeout(lost); lost = 0; show("Live", false); refresh(); });
	source.addEventListener("changed", refresh);
	source.addEventListener("error", () => {
		if (!lost) lost = setTimeout(() => show("Connection lost, retrying.", true), quiet);
	});
	addEventListener("pagehide", () => source.close());
}
