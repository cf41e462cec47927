// The page Home: its ways as tabs, tests of connections that show each step as it ends, and the
// system's own way to share. Without this file the ways stand below one another, and a test is a page.

// tabs follows the pattern of WAI-ARIA: arrows move, one panel shows.
function tabs() {
	const list = document.querySelector("ul[data-tabs]");
	if (!list) return;
	const all = [...list.querySelectorAll("a")];
	const panels = all.map((a) => document.querySelector(a.getAttribute("href")));
	const pick = (i, focus) => {
		all.forEach((a, n) => {
			a.setAttribute("aria-selected", String(n === i));
			a.tabIndex = n === i ? 0 : -1;
			panels[n].hidden = n !== i;
		});
		if (focus) all[i].focus();
	};
	list.setAttribute("role", "tablist");
	all.forEach((a, i) => {
		a.setAttribute("role", "tab");
		a.setAttribute("aria-controls", panels[i].id);
		a.parentElement.setAttribute("role", "presentation");
		panels[i].setAttribute("role", "tabpanel");
		panels[i].setAttribute("aria-labelledby", a.id);
		a.addEventListener("click", (e) => {
			e.preventDefault();
			history.replaceState(null, "", a.getAttribute("href"));
			pick(i, false);
		});
		a.addEventListener("keydown", (e) => {
			const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: all.length - 1 }[e.key];
			if (to === undefined) return;
			e.preventDefault();
			pick((to + all.length) % all.length, true);
		});
	});
	const first = panels.findIndex((p) => "current" in p.dataset);
	const named = all.findIndex((a) => a.getAttribute("href") === location.hash);
	pick(Math.max(0, first >= 0 ? first : named), false);
}

// events gives each event of a stream as it comes.
async function events(res, take) {
	const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		rest += value;
		for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
			const [kind, data] = rest.slice(0, end).split("\n").map((l) => l.slice(l.indexOf(": ") + 2));
			rest = rest.slice(end + 2);
			take(kind, JSON.parse(data));
		}
	}
}

function row(step) {
	const li = document.getElementById("probe-step").content.firstElementChild.cloneNode(true);
	li.dataset.id = step.id;
	li.dataset.state = step.state;
	li.querySelector('[data-part="state"]').replaceChildren(document.getElementById(`probe-${step.state}`).firstElementChild.cloneNode(true));
	for (const part of ["title", "detail", "why", "fix"]) {
		const el = li.querySelector(`[data-part="${part}"]`);
		el.textContent = step[part];
		if (el.tagName === "P") el.hidden = !step[part];
	}
	return li;
}

function probe(form) {
	const status = form.querySelector("[data-probe-status]");
	const steps = form.querySelector("[data-probe-steps]");
	const button = form.querySelector("button");
	form.addEventListener("submit", async (e) => {
		e.preventDefault();
		if (button.disabled) return;
		button.disabled = true;
		steps.replaceChildren();
		status.textContent = status.dataset.running;
		let said = "";
		try {
			const res = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/event-stream" }, redirect: "error" });
			if (!res.ok) throw new Error(String(res.status));
			await events(res, (kind, data) => {
				if (kind === "step") steps.append(row(data));
				else said = kind === "refused" ? data : said || status.dataset.done;
			});
		} catch {
			said = "";
		}
		status.textContent = said || status.dataset.lost;
		button.disabled = false;
	});
}

function shares() {
	if (!navigator.share) return;
	for (const b of document.querySelectorAll("button[data-share]")) {
		b.hidden = false;
		b.addEventListener("click", () => navigator.share({ title: document.title, text: b.dataset.share }).catch(() => {}));
	}
}

export function connect() {
	tabs();
	for (const form of document.querySelectorAll("form[data-probe]")) probe(form);
	shares();
}
