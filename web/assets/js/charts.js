// The charts of the overview. They follow the server point by point; the tables below them are the
// server's, and are there without this script.
import { Stream } from "./stream.js";

const quiet = 6000; // ms without the stream until it is called lost
const keep = 90; // points of the shortest range
const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3], [12, 5]];

const root = document.querySelector("[data-charts]");
const status = document.querySelector("[data-live-status]");
const pause = document.querySelector("[data-pause]");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// What numbers look like; the server's tables have the same words.
const lang = document.documentElement.lang;
const digits = [0, 1, 2].map((n) => new Intl.NumberFormat(lang, { minimumFractionDigits: n, maximumFractionDigits: n }));
const short = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });
function bytes(v) {
	const units = ["B", "kB", "MB", "GB", "TB", "PB"];
	let i = 0;
	while (v >= 999.95 && i < units.length - 1) { v /= 1000; i++; }
	return `${i === 0 ? digits[0].format(Math.floor(v)) : short.format(v)} ${units[i]}`;
}
function words(v, unit) {
	if (v === null || v === undefined) return "–";
	if (unit === "bytes") return bytes(v);
	if (unit === "bytes/s") return `${bytes(v)}/s`;
	const n = digits[unit === "count" && Number.isInteger(v) || v === 0 || v >= 100 ? 0 : v < 10 ? 2 : 1].format(v);
	return unit === "count" ? n : unit === "%" ? `${n} %` : `${n}${unit}`;
}

// A scale of bytes has round numbers of bytes.
const roundBytes = [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((e) => n * 10 ** e)).sort((a, b) => a - b);

class Chart {
	constructor(figure) {
		this.figure = figure;
		this.ids = figure.dataset.series.split(" ");
		this.unit = figure.dataset.unit;
		this.stacked = "stacked" in figure.dataset;
		this.plot = figure.querySelector(".plot");
		this.items = this.ids.map((id) => figure.querySelector(`[data-line="${id}"]`));
		this.labels = this.items.map((li) => li.querySelector("span").textContent);
		this.says = this.plot.dataset.says;
		new ResizeObserver(() => this.u?.setSize(this.size())).observe(figure);
	}

	size() {
		const style = getComputedStyle(this.figure);
		return { width: Math.floor(this.figure.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)), height: 190 };
	}

	// columns are what is drawn: of stacked series the sums.
	columns(data) {
		const raw = this.ids.map((id) => data.values[id] ?? data.times.map(() => null));
		if (!this.stacked) return raw;
		const sums = [];
		raw.forEach((list, i) => sums.push(list.map((v, k) => (v === null ? null : v + (i ? sums[i - 1][k] ?? 0 : 0)))));
		return sums;
	}

	options(step) {
		const line = css("--line");
		const text = css("--muted");
		const font = "12px system-ui, sans-serif";
		const clock = new Intl.DateTimeFormat(lang, step >= 900 ? { weekday: "short", hour: "2-digit", minute: "2-digit", hour12: false } : { hour: "2-digit", minute: "2-digit", hour12: false });
		const grid = { stroke: line, width: 1 };
		const isBytes = this.unit.startsWith("bytes");
		return {
			...this.size(),
			padding: [10, 10, 0, 0],
			legend: { show: false },
			cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
			scales: { x: { time: true }, y: { range: (u, min, max) => [0, Math.max(max * 1.1, this.unit === "count" ? 4 : isBytes ? 1000 : 1)] } },
			axes: [
				{ stroke: text, font, grid: { show: false }, ticks: { show: false }, space: step >= 900 ? 90 : 60, size: 26, values: (u, splits) => splits.map((s) => clock.format(s * 1000)) },
				{ stroke: text, font, grid, ticks: { show: false }, size: 70, space: 26, incrs: isBytes ? roundBytes : this.unit === "count" ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000] : undefined, values: (u, splits) => splits.map((s) => (isBytes ? bytes(s) : `${short.format(s)}${this.unit === "%" ? " %" : ""}`)) },
			],
			series: [{}, ...this.ids.map((id, i) => ({
				label: this.labels[i],
				stroke: css(`--chart-${i}`),
				width: 2,
				dash: dashes[i],
				fill: this.stacked || this.ids.length === 1 ? css(`--chart-${i}-fill`) : undefined,
				points: { show: false },
			}))],
			// The space between two sums is the upper one's; below the lowest it is its own.
			bands: this.stacked ? this.ids.slice(1).map((id, i) => ({ series: [i + 2, i + 1] })) : [],
			hooks: { setCursor: [(u) => this.say(u.cursor.idx)] },
		};
	}

	draw(data) {
		this.data = data;
		const n = data.times.length;
		if (n) {
			this.figure.dataset.points = n;
			this.figure.querySelector("[data-collecting]")?.remove();
		}
		this.say(null);
		if (!window.uPlot || !n) return;
		this.plot.hidden = false;
		const all = [data.times, ...this.columns(data)];
		if (this.u && this.step === data.step) { this.u.setData(all); return; }
		this.u?.destroy();
		this.step = data.step;
		this.u = new window.uPlot(this.options(data.step), all, this.plot);
	}

	// say writes the values under the pointer into the legend, else the newest ones.
	say(idx) {
		if (!this.data) return;
		const at = idx ?? this.data.times.length - 1;
		const list = this.ids.map((id) => words(this.data.values[id]?.[at], this.unit));
		this.items.forEach((li, i) => { li.querySelector("b").textContent = list[i]; });
		if (idx === null || idx === undefined) this.plot.setAttribute("aria-label", `${this.says}${this.labels.map((l, i) => `${l} ${list[i]}`).join(", ")}.`);
	}

	restyle() {
		this.u?.destroy();
		this.u = null;
		if (this.data) this.draw(this.data);
	}
}

// tables takes the server's rows over those that stand there, for the tables that are open.
function tables() {
	const open = root.querySelectorAll("details.numbers[open]");
	if (!open.length) return;
	const x = new XMLHttpRequest();
	x.open("GET", location.href);
	x.setRequestHeader("X-Trivium-Part", "rows");
	x.responseType = "document";
	x.onload = () => {
		if (x.status !== 200 || !x.response) return;
		for (const d of open) {
			const fresh = x.response.querySelector(`#${d.closest("figure").id} tbody`);
			if (fresh) d.querySelector("tbody").replaceWith(document.importNode(fresh, true));
		}
	};
	x.send();
}

function follow(charts) {
	let data = { step: 10, times: [], values: {} };
	let fetched = 0;
	let lost = 0;
	let source;
	const show = (text, bad) => {
		if (!status) return;
		status.hidden = false;
		status.classList.toggle("lost", bad);
		if (status.textContent !== text) status.textContent = text;
	};
	const paused = () => pause?.getAttribute("aria-pressed") === "true";
	const load = async () => {
		try {
			const r = await fetch(root.dataset.charts, { headers: { Accept: "application/json" } });
			if (!r.ok || r.redirected) throw new Error(String(r.status));
			data = await r.json();
			fetched = Date.now();
			for (const c of charts) c.draw(data);
		} catch {
			show(root.dataset.stale, true);
		}
	};
	const add = (point) => {
		for (const el of document.querySelectorAll("[data-sum]")) {
			el.textContent = el.dataset.sum.trim().split(" ").reduce((sum, id) => sum + (point.v[id] ?? 0), 0);
		}
		if (root.dataset.range !== "15m") {
			if (Date.now() - fetched >= data.step * 1000) load();
			return;
		}
		const n = data.times.length;
		if (n && point.t <= data.times[n - 1]) {
			if (point.t < data.times[n - 1]) return;
			data.times.pop();
			for (const list of Object.values(data.values)) list.pop();
		}
		data.times.push(point.t);
		for (const [id, v] of Object.entries(point.v)) {
			const list = (data.values[id] ??= new Array(data.times.length - 1).fill(null));
			list.push(v);
		}
		while (data.times.length > keep) {
			data.times.shift();
			for (const list of Object.values(data.values)) list.shift();
		}
		for (const c of charts) c.draw(data);
	};
	const begin = () => {
		source = new Stream(document.body.dataset.live, {
			ready: () => { clearTimeout(lost); lost = 0; show(root.dataset.live, false); load(); },
			changed: (e) => {
				if (!e.data.startsWith("{")) return;
				show(root.dataset.live, false);
				add(JSON.parse(e.data));
			},
			error: () => { if (!lost) lost = setTimeout(() => show(root.dataset.lost, true), quiet); },
		}, () => { clearTimeout(lost); show(root.dataset.stale, true); });
	};
	if (pause) {
		pause.hidden = false;
		pause.addEventListener("click", () => {
			const on = !paused();
			pause.setAttribute("aria-pressed", String(on));
			if (on) { source.close(); clearTimeout(lost); lost = 0; show(root.dataset.paused, false); } else begin();
		});
	}
	begin();
	setInterval(() => { if (!paused()) tables(); }, 60000);
	addEventListener("pagehide", () => source.close());
	addEventListener("pageshow", (e) => { if (e.persisted && !paused()) begin(); });
}

if (root && document.body.dataset.live && window.EventSource) {
	const charts = [...root.querySelectorAll("figure")].map((f) => new Chart(f));
	for (const d of root.querySelectorAll("details.numbers")) d.addEventListener("toggle", () => { if (d.open) tables(); });
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const c of charts) c.restyle(); });
	follow(charts);
}
