// The queue of uploads: three at once, each of which can stop and go on (tus). It stands at the foot of
// the page until everything is through.
import { make, ask, bytes, span } from "./make.js";
import { t } from "./words.js";
import { at, inside } from "./below.js";

const abreast = 3;
const chunk = 8 * 1024 * 1024; // bytes of one request
const kept = 20; // rows of what has ended well
const small = 256 * 1024; // bytes that go with the question whether they may; of what is larger the length goes first

// Queue sends to the folder of a form.
export class Queue {
	constructor(panel, form, { say, done }) {
		Object.assign(this, { panel, form, say, done, waiting: [], active: new Set(), failed: [], finished: [], total: 0, bytes: 0, sent: 0, halted: false });
		this.list = make("div", { className: "queue-rows" });
		this.text = make("p", { className: "small", data: { testid: "upload-total" } });
		this.bar = make("progress", { max: 1, value: 0 });
		this.bar.setAttribute("aria-label", t("All uploads"));
		this.pause = make("button", { type: "button", className: "small-button" }, t("Pause"));
		this.stop = make("button", { type: "button", className: "small-button" }, t("Cancel"));
		this.retry = make("button", { type: "button", className: "small-button", hidden: true }, t("Retry failed"));
		this.copy = make("button", { type: "button", className: "small-button", hidden: true }, t("Copy list"));
		this.close = make("button", { type: "button", className: "small-button", hidden: true }, t("Close"));
		this.pause.addEventListener("click", () => (this.halted ? this.go() : this.halt()));
		this.stop.addEventListener("click", () => this.cancel());
		this.retry.addEventListener("click", () => this.again());
		this.copy.addEventListener("click", () => navigator.clipboard?.writeText(this.failed.map((i) => `${i.name}: ${i.why}`).join("\n")).then(() => this.say(t("List copied"))));
		this.close.addEventListener("click", () => { panel.hidden = true; panel.replaceChildren(); });
		addEventListener("offline", () => { if (this.busy) this.show(t("The connection is lost. The uploads go on by themselves when it is back.")); });
		addEventListener("beforeunload", (e) => { if (this.busy) e.preventDefault(); });
	}

	get busy() { return this.waiting.length + this.active.size > 0; }

	add(items) {
		if (!this.busy) {
			Object.assign(this, { failed: [], finished: [], total: 0, bytes: 0, sent: 0, halted: false, began: performance.now() });
			this.list.replaceChildren();
			this.panel.replaceChildren(this.text, this.bar, make("p", { className: "actions" }, this.pause, this.stop, this.retry, this.copy, this.close), this.list);
			this.panel.hidden = false;
		}
		for (const i of items) { i.sent = 0; this.total++; this.bytes += i.file.size; }
		this.waiting.push(...items);
		this.go();
	}

	go() {
		this.halted = false;
		for (const i of this.active) this.send(i);
		this.fill();
		this.show();
	}

	fill() {
		while (!this.halted && this.active.size < abreast && this.waiting.length > 0) {
			const i = this.waiting.shift();
			this.active.add(i);
			this.row(i);
			this.send(i);
		}
	}

	halt(words) {
		this.halted = true;
		for (const i of this.active) i.upload?.abort();
		this.show(words);
	}

	// cancel gives up what is not through; what came of it goes from the server.
	cancel() {
		for (const i of this.active) { i.upload?.abort(true).catch(() => {}); i.row.remove(); }
		this.total -= this.active.size + this.waiting.length;
		this.active.clear();
		this.waiting = [];
		this.ended();
	}

	again() {
		const items = this.failed;
		for (const i of items) i.row.remove();
		this.failed = [];
		this.total -= items.length;
		for (const i of items) { this.bytes -= i.file.size; this.sent -= i.sent; }
		this.waiting.push(...items.map((i) => { this.total++; this.bytes += i.file.size; i.sent = 0; i.upload = null; return i; }));
		this.go();
	}

	row(i) {
		i.label = make("p", { className: "small" }, i.name);
		i.bar = make("progress", { max: Math.max(i.file.size, 1), value: 0 });
		i.bar.setAttribute("aria-label", i.name);
		i.row = make("div", { data: { testid: "upload-item", name: i.name, state: "sending" } }, i.label, i.bar);
		this.list.prepend(i.row);
	}

	send(i) {
		if (!i.upload) i.upload = new window.tus.Upload(i.file, this.options(i));
		i.upload.options.headers = { "X-CSRF-Token": this.form.elements.csrf.value };
		const upload = i.upload;
		if (upload.url) { upload.start(); return; }
		upload.findPreviousUploads().then((before) => {
			if (before.length > 0 && (i.taken !== "keep" || "adds" in this.form.dataset)) upload.resumeFromPreviousUpload(before[0]);
			if (!this.halted && this.active.has(i)) upload.start();
		});
	}

	options(i) {
		return {
			endpoint: this.form.action, chunkSize: chunk, retryDelays: [0, 1000, 3000, 10000, 30000], uploadDataDuringCreation: i.file.size <= small,
			metadata: { filename: i.name, taken: i.taken ?? "" }, storeFingerprintForResuming: i.file.size > chunk, removeFingerprintOnSuccess: true,
			fingerprint: async (file) => ["tus", document.body.dataset.user, this.form.action, i.name, file.size, file.lastModified].join("|"),
			onProgress: (sent) => this.progress(i, sent),
			onSuccess: () => this.succeed(i),
			onError: (err) => this.fail(i, err),
			onShouldRetry: (err) => {
				const status = err.originalResponse?.getStatus() ?? 0;
				return status === 0 || status === 423 || status === 429 || (status >= 500 && status !== 507 && status !== 501) || (status === 409 && err.originalRequest.getMethod() === "PATCH");
			},
		};
	}

	progress(i, sent) {
		this.sent += sent - i.sent;
		i.sent = sent;
		i.bar.value = i.file.size === 0 ? 1 : sent;
		this.show();
	}

	succeed(i) {
		this.progress(i, i.file.size);
		i.row.dataset.state = "done";
		i.label.textContent = t("{name}: uploaded", { name: i.name });
		this.finished.push(i);
		if (this.finished.length > kept) this.finished[this.finished.length - kept - 1].row.remove();
		this.next(i);
	}

	fail(i, err) {
		const status = err.originalResponse?.getStatus() ?? 0;
		if (status === 403 && "adds" in this.form.dataset && !i.renewed) {
			i.renewed = true; // the session of the page is over, and there is a new one: once more from its beginning
			this.renew().then(() => { i.upload = null; this.send(i); });
			return;
		}
		if (status === 401 || (status === 403 && /out of date/.test(err.originalResponse.getBody()))) {
			this.loggedOut();
			return;
		}
		i.why = err.originalResponse?.getBody()?.trim() || t("not uploaded: the connection broke. Try again.");
		i.row.dataset.state = "failed";
		i.label.setAttribute("role", "alert");
		i.label.textContent = `${i.name}: ${i.why}`;
		this.failed.push(i);
		this.next(i);
	}

	next(i) {
		this.active.delete(i);
		if (this.busy) { this.fill(); this.show(); } else this.ended();
	}

	// loggedOut waits until somebody has logged in again, in another tab, and goes on.
	async loggedOut() {
		if (this.halted) return;
		this.halt(t("You have been logged out."));
		const href = at(`/login?next=${encodeURIComponent(inside(location.pathname))}`);
		const link = make("a", { href, target: "_blank", rel: "opener" }, t("Log in in another tab"));
		const user = document.body.dataset.user;
		while (this.halted) {
			const answer = await ask(t("You have been logged out"), [make("p", {}, link, t(" as {user}, then come back here: nothing that was sent is lost.", { user }))], [["go", t("Go on"), "primary"], ["", t("Stop here")]]);
			if (answer !== "go") return;
			if (await this.renew()) this.go();
		}
	}

	// renew fetches the form's token of the session as it is now.
	async renew() {
		const res = await fetch(this.form.action, { method: "OPTIONS", headers: { "Tus-Resumable": "1.0.0" } }).catch(() => null);
		if (!res?.ok) return false;
		for (const f of document.querySelectorAll("input[name=csrf]")) f.value = res.headers.get("X-CSRF-Token");
		return true;
	}

	show(words) {
		const seconds = (performance.now() - this.began) / 1000;
		const speed = this.sent / Math.max(seconds, 0.2);
		this.bar.value = this.bytes === 0 ? 1 : this.sent / this.bytes;
		this.text.textContent = words ?? (this.halted ? t("Paused.") : t("{done} of {total} uploaded: {sent} of {size}, {speed}/s, {time} left", {
			done: this.finished.length, total: this.total, sent: bytes(this.sent), size: bytes(this.bytes), speed: bytes(speed), time: span((this.bytes - this.sent) / Math.max(speed, 1)) }));
		this.pause.textContent = this.halted ? t("Go on") : t("Pause");
		this.pause.hidden = this.stop.hidden = !this.busy;
		this.close.hidden = this.busy;
		this.retry.hidden = this.copy.hidden = this.busy || this.failed.length === 0;
	}

	ended() {
		const text = this.failed.length ? t("{n} uploaded, {failed} failed", { n: this.finished.length, failed: this.failed.length }) : t("{n} uploaded", { n: this.finished.length });
		this.show(text);
		this.say(text);
		this.done();
	}
}

// unfinished are uploads of this person that an earlier page did not get through.
export async function unfinished() {
	const all = await window.tus.defaultOptions.urlStorage.findAllUploads();
	const mine = `tus|${document.body.dataset.user}|`;
	return all.filter((u) => u.urlStorageKey?.includes(mine));
}

// forget drops them.
export const forget = (list) => Promise.all(list.map((u) => window.tus.defaultOptions.urlStorage.removeUpload(u.urlStorageKey)));
