// The page of chat: converse.js, logged in by a pass that is good once. Each connection asks for a new one, so there
// is no password in the page, and where the log-in on the site has ended there is no pass and no chat.
import { at } from "./below.js";

const box = document.getElementById("chat");
const say = box.dataset;
const status = box.querySelector("[data-chat-status]");
const over = box.querySelector("[data-chat-over]");
const dark = box.dataset.theme === "dark" || !box.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches;
const themes = { light: ["classic", "classic"], dark: ["dracula", "dracula"] }[box.dataset.theme] ?? ["classic", "dracula"];
if (dark) box.classList.add("dark");

const state = (name, text) => {
	box.dataset.state = name;
	status.textContent = text ?? "";
	status.hidden = !text;
};

let ended = false;
function end(why) {
	if (ended) return;
	ended = true;
	box.querySelector("converse-root")?.remove();
	over.querySelector("[data-chat-why]").textContent = why;
	over.hidden = false;
	state("ended");
	over.querySelector("a").focus();
}

const pause = (seconds) => new Promise((done) => { setTimeout(done, seconds * 1000); });

// pass asks for one until there is one, slower from time to time; null where there will be none.
async function pass() {
	for (let wait = 1; !ended; wait = Math.min(2 * wait, 30)) {
		let answer;
		try {
			answer = await fetch(at("/chat/token"), { method: "POST", redirect: "manual", headers: { "X-Trivium-Part": "chat" },
				body: new URLSearchParams({ csrf: box.dataset.csrf }) });
		} catch {
			state("waiting", say.sayAway);
			await pause(wait);
			continue;
		}
		if (answer.ok) return answer.json();
		if (answer.status === 429 || answer.status >= 500) {
			await pause(Number(answer.headers.get("Retry-After")) || wait);
			continue;
		}
		end(answer.status === 404 ? say.sayClosed : say.sayOut);
	}
	return null;
}

const socket = (location.protocol === "https:" ? "wss://" : "ws://") + location.host + box.dataset.socket;
const resource = "converse.js/Web-" + [...crypto.getRandomValues(new Uint8Array(4))].map((b) => b.toString(16).padStart(2, "0")).join("");

function plugin() {
	const api = this._converse.api;
	const never = new Promise(() => {});
	api.listen.on("beforeAttemptNonPreboundSession", async (_, given) => {
		const p = await pass();
		if (!p) return never; // nothing goes on behind the words that the page shows
		return { ...given, credentials: { jid: p.jid, password: p.password } };
	});
	for (const event of ["connected", "reconnected"]) api.listen.on(event, () => state("open"));
	api.listen.on("will-reconnect", () => { if (!ended) state("waiting", say.sayLost); });
	api.listen.on("disconnected", () => end(say.sayEnded));
	// No links and pictures of others: what the site is made of says its page about the software.
	api.elements.define("converse-footer", class extends HTMLElement {});
}

// What converse.js takes for the height of the window is that of its place.
new ResizeObserver(() => box.style.setProperty("--chat-height", box.clientHeight + "px")).observe(box);
state("loading", status.textContent);
const { default: converse } = await import(box.dataset.script);
converse.plugins.add("trivium", { initialize: plugin });
const here = [location.hostname, location.host];
await converse.initialize({
	allow_logout: false, allow_registration: false, allow_non_roster_messaging: true, allow_user_trust_browser: false,
	allow_url_history_change: false, allow_message_styling: true, allow_muc_invitations: true,
	assets_path: box.dataset.files, authentication: "login", auto_login: true, auto_reconnect: true, auto_away: 600,
	blacklisted_plugins: ["converse-omemo", "converse-register"], clear_cache_on_logout: true,
	discover_connection_methods: false, websocket_url: socket, enable_smacks: true, keepalive: true,
	i18n: box.dataset.lang, jid: box.dataset.jid + "/" + resource, locales: ["de", "en"], loglevel: "warn",
	embed_3rd_party_media_players: false, fetch_url_headers: false, render_media: true,
	allowed_image_domains: here, allowed_audio_domains: here, allowed_video_domains: here,
	message_archiving: "always", clear_messages_on_reconnection: true, play_sounds: false, persistent_store: "sessionStorage", reuse_scram_keys: false,
	send_chat_state_notifications: true, show_client_info: false, show_desktop_notifications: false,
	show_controlbox_by_default: true, singleton: false, sticky_controlbox: true, theme: themes[0], dark_theme: themes[1],
	view_mode: "fullscreen", whitelisted_plugins: ["trivium"],
});
