// A stream of events that comes back whatever became of it. By itself the browser gives up for good where a
// server that is going away, or a proxy before it, answers with anything but a stream.
const again = 3000; // ms until it is tried once more

export class Stream {
	// listeners take events by their names; gone hears that there is no stream any more for this session.
	constructor(url, listeners, gone) {
		Object.assign(this, { url, listeners, gone, closed: false });
		this.open();
	}

	open() {
		this.source = new EventSource(this.url);
		for (const [name, take] of Object.entries(this.listeners)) this.source.addEventListener(name, take);
		this.source.addEventListener("error", () => { if (this.source.readyState === EventSource.CLOSED) this.later(); });
	}

	later() {
		if (this.closed) return;
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.ask(), again);
	}

	// ask looks whether the page itself is still this session's.
	async ask() {
		let answer = null;
		try {
			answer = await fetch(location.href, { method: "HEAD", redirect: "manual", headers: { "X-Trivium-Part": "rows" } });
		} catch {
			// Nobody is there yet.
		}
		if (this.closed) return;
		if (answer?.ok) this.open();
		else if (answer && (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status))) { this.close(); this.gone(); } else this.later();
	}

	close() {
		this.closed = true;
		clearTimeout(this.timer);
		this.source.close();
	}
}
