// The checks of the doctor that only a browser can make. No markup is made from strings: a row is a copy of
// the one that the server has made.
import { at } from "./below.js";

const words = {
	ok: ["ok", "ok"],
	warning: ["warn", "warning"],
	failed: ["bad", "failed"],
};

function row(list, id, state, title, why, fix) {
	const li = document.createElement("li");
	li.dataset.testid = "browser-check";
	li.dataset.id = id;
	li.dataset.state = state;
	const badge = document.createElement("span");
	const [tone, word] = words[state];
	badge.className = `badge ${tone}`;
	badge.textContent = word;
	const body = document.createElement("div");
	const add = (name, text) => {
		const p = document.createElement("p");
		p.className = name;
		p.textContent = text;
		body.append(p);
	};
	add("found", title);
	if (why) add("small", why);
	if (fix) add("fix", `Fix: ${fix}`);
	li.append(badge, body);
	list.append(li);
}

// The page was made a moment before it came; half of a second is no fault of a clock.
function clock(list, sent) {
	const timing = performance.getEntriesByType("navigation")[0];
	const arrived = performance.timeOrigin + (timing?.responseStart ?? 0);
	const off = (arrived - Date.parse(sent)) / 1000;
	const title = `The clocks differ by ${Math.abs(off).toFixed(1)} s`;
	if (Math.abs(off) < 5) row(list, "browser.clock", "ok", title);
	else row(list, "browser.clock", Math.abs(off) < 60 ? "warning" : "failed", `${title}: this browser is ${off > 0 ? "ahead" : "behind"}`, "One-time codes and certificates fail when one of them is wrong by a minute.", "see which of the two is wrong, and let it be kept by a time service");
}

async function methods(list) {
	const token = document.querySelector("input[name=csrf]")?.value ?? "";
	for (const [method, path] of [["HEAD", "/healthz"], ["PATCH", "/admin/doctor/echo"]]) {
		const id = `browser.${method.toLowerCase()}`;
		try {
			const headers = method === "PATCH" ? { "X-CSRF-Token": token } : {};
			const res = await fetch(at(path), { method, headers, cache: "no-store", signal: AbortSignal.timeout(8000) });
			if (res.headers.get("X-Request-Id")) row(list, id, "ok", `${method} reaches the server`);
			else row(list, id, "failed", `${method} does not reach the server`, `Something in front answered ${res.status}: uploads cannot be resumed.`, "let the proxy pass HEAD and PATCH on");
		} catch {
			row(list, id, "failed", `${method} does not reach the server`, "The connection broke, or took too long.", "let the proxy pass HEAD and PATCH on");
		}
	}
}

function socket(list, path) {
	if (!path) return;
	const ws = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`, "xmpp");
	const over = setTimeout(() => ws.close(), 8000);
	let open = false;
	ws.addEventListener("open", () => { open = true; row(list, "browser.websocket", "ok", "Chat over WebSocket reaches the server"); ws.close(); });
	ws.addEventListener("close", () => {
		clearTimeout(over);
		if (!open) row(list, "browser.websocket", "failed", "Chat over WebSocket does not reach the server", "Chat in the browser does not work.", "let the proxy pass Upgrade and Connection on");
	});
}

export function doctor() {
	const part = document.querySelector("[data-browser-checks]");
	if (!part) return;
	const list = part.querySelector("[data-browser-list]");
	clock(list, part.dataset.now);
	if (isSecureContext) row(list, "browser.secure", "ok", "The browser counts this page as secure: passkeys work");
	else row(list, "browser.secure", "warning", "The browser counts this page as insecure", "Passkeys and the clipboard do not work, and passwords cross the network in the clear.", "open the pages over https");
	methods(list);
	socket(list, part.dataset.socket);
}
