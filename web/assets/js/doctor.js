// The checks of the doctor that only a browser can make. No markup is made from strings: a row is a copy of
// the one that the server has made.
import { at } from "./below.js";
import { t } from "./words.js";

const words = {
	ok: ["ok", t("ok")],
	warning: ["warn", t("warning")],
	failed: ["bad", t("failed")],
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
	if (fix) add("fix", t("Fix: {fix}", { fix }));
	li.append(badge, body);
	list.append(li);
}

// The page was made a moment before it came; half of a second is no fault of a clock.
function clock(list, sent) {
	const timing = performance.getEntriesByType("navigation")[0];
	const arrived = performance.timeOrigin + (timing?.responseStart ?? 0);
	const off = (arrived - Date.parse(sent)) / 1000;
	const seconds = Math.abs(off).toFixed(1);
	const title = t("The clocks differ by {seconds} s", { seconds });
	if (Math.abs(off) < 5) row(list, "browser.clock", "ok", title);
	else row(list, "browser.clock", Math.abs(off) < 60 ? "warning" : "failed", off > 0 ? t("The clocks differ by {seconds} s: this browser is ahead", { seconds }) : t("The clocks differ by {seconds} s: this browser is behind", { seconds }), t("One-time codes and certificates fail when one of them is wrong by a minute."), t("see which of the two is wrong, and let it be kept by a time service"));
}

async function methods(list) {
	const token = document.querySelector("input[name=csrf]")?.value ?? "";
	for (const [method, path] of [["HEAD", "/healthz"], ["PATCH", "/admin/doctor/echo"]]) {
		const id = `browser.${method.toLowerCase()}`;
		try {
			const headers = method === "PATCH" ? { "X-CSRF-Token": token } : {};
			const res = await fetch(at(path), { method, headers, cache: "no-store", signal: AbortSignal.timeout(8000) });
			if (res.headers.get("X-Request-Id")) row(list, id, "ok", t("{method} reaches the server", { method }));
			else row(list, id, "failed", t("{method} does not reach the server", { method }), t("Something in front answered {status}: uploads cannot be resumed.", { status: res.status }), t("let the proxy pass HEAD and PATCH on"));
		} catch {
			row(list, id, "failed", t("{method} does not reach the server", { method }), t("The connection broke, or took too long."), t("let the proxy pass HEAD and PATCH on"));
		}
	}
}

function socket(list, path) {
	if (!path) return;
	const ws = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`, "xmpp");
	const over = setTimeout(() => ws.close(), 8000);
	let open = false;
	ws.addEventListener("open", () => { open = true; row(list, "browser.websocket", "ok", t("Chat over WebSocket reaches the server")); ws.close(); });
	ws.addEventListener("close", () => {
		clearTimeout(over);
		if (!open) row(list, "browser.websocket", "failed", t("Chat over WebSocket does not reach the server"), t("Chat in the browser does not work."), t("let the proxy pass Upgrade and Connection on"));
	});
}

export function doctor() {
	const part = document.querySelector("[data-browser-checks]");
	if (!part) return;
	const list = part.querySelector("[data-browser-list]");
	clock(list, part.dataset.now);
	if (isSecureContext) row(list, "browser.secure", "ok", t("The browser counts this page as secure: passkeys work"));
	else row(list, "browser.secure", "warning", t("The browser counts this page as insecure"), t("Passkeys and the clipboard do not work, and passwords cross the network in the clear."), t("open the pages over https"));
	methods(list);
	socket(list, part.dataset.socket);
}
