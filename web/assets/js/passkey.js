// Passkeys: what a page cannot do without script. The server asks (data-options), the authenticator
// answers, and the answer goes to the server with the form as JSON.
import { t } from "./words.js";

const decode = (text) => {
	const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
	return Uint8Array.from(raw, (c) => c.charCodeAt(0));
};
const encode = (buffer) => buffer ? btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "") : undefined;

const readOptions = (json) => {
	const o = json.publicKey;
	o.challenge = decode(o.challenge);
	if (o.user) o.user.id = decode(o.user.id);
	for (const list of [o.excludeCredentials, o.allowCredentials]) for (const c of list ?? []) c.id = decode(c.id);
	return o;
};

const writeAnswer = (c) => JSON.stringify({
	id: c.id,
	rawId: encode(c.rawId),
	type: c.type,
	authenticatorAttachment: c.authenticatorAttachment ?? undefined,
	clientExtensionResults: c.getClientExtensionResults(),
	response: {
		clientDataJSON: encode(c.response.clientDataJSON),
		attestationObject: encode(c.response.attestationObject),
		authenticatorData: encode(c.response.authenticatorData),
		signature: encode(c.response.signature),
		userHandle: encode(c.response.userHandle),
		transports: c.response.getTransports?.(),
	},
});

async function question(form) {
	const body = new URLSearchParams({ csrf: form.elements.csrf.value });
	const answer = await fetch(form.dataset.options, { method: "POST", body, redirect: "error" });
	if (!(answer.headers.get("Content-Type") ?? "").startsWith("application/json")) {
		throw new Error(answer.status === 403 ? t("Too much time has passed. Load this page again.") : t("The server did not answer. Load this page again."));
	}
	const json = await answer.json();
	if (!answer.ok) throw new Error(json.error ?? t("The server refused."));
	return readOptions(json);
}

// In words, and never the browser's own, which speak to programmers.
const words = (e, make) => {
	switch (e.name) {
	case "NotAllowedError": return make ? t("No passkey was created: it was cancelled, or took too long.") : t("No passkey was used: it was cancelled, took too long, or there is none for this site.");
	case "InvalidStateError": return t("This device has a passkey for your account already.");
	case "NotSupportedError": return t("This device cannot keep passkeys of the kind that is needed.");
	case "SecurityError": return t("The browser does not allow passkeys at this address.");
	case "Error": return e.message;
	}
	return t("The passkey did not work. Try again, or log in another way.");
};

let waiting = null; // of the name field, which any other use ends

async function use(form, status, options) {
	const make = form.dataset.passkey === "create";
	form.dataset.used = "1";
	waiting?.abort();
	waiting = null;
	try {
		status.textContent = make ? t("Your browser asks where to keep the passkey…") : t("Your browser asks for the passkey…");
		const publicKey = await question(form);
		const c = make ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey, ...options });
		send(form, c);
	} catch (e) {
		status.textContent = words(e, make);
	}
}

// send goes out once: a question is good for one answer, and button and name field may both have one.
function send(form, c) {
	if (form.dataset.answered) return;
	form.elements.credential.value = writeAnswer(c);
	const stay = document.getElementById("stay");
	if (stay?.checked) {
		const input = document.createElement("input");
		input.type = "hidden";
		input.name = "stay";
		input.value = "1";
		form.append(input);
	}
	form.dataset.answered = "1";
	form.requestSubmit();
}

// auto lets the name field offer passkeys (conditional mediation).
async function auto(form) {
	if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
	if (form.dataset.used) return; // the button was faster
	const stop = new AbortController();
	waiting = stop;
	try {
		const publicKey = await question(form);
		if (stop.signal.aborted) return;
		const c = await navigator.credentials.get({ publicKey, mediation: "conditional", signal: stop.signal });
		if (c) send(form, c);
	} catch {
		// It was no use of a passkey then: the button says what is wrong.
	}
}

export function passkeys() {
	for (const form of document.querySelectorAll("form[data-passkey]")) {
		const status = form.querySelector("[data-passkey-status]");
		if (status.hasAttribute("data-off")) continue;
		if (!window.PublicKeyCredential || !navigator.credentials) {
			status.textContent = window.isSecureContext ? t("This browser has no passkeys.") : t("Passkeys need https. Open this page with https:// in front.");
			continue;
		}
		status.textContent = "";
		form.querySelector("button:not([type])").disabled = false;
		form.addEventListener("submit", (e) => {
			if (form.dataset.answered === "1") {
				form.dataset.answered = "sent";
				return;
			}
			e.preventDefault();
			if (!form.dataset.answered) use(form, status, {});
		}, true);
		if (form.hasAttribute("data-auto")) auto(form);
	}
}

// A form that goes on when the person has answered in chat.
export function chatAnswers() {
	const form = document.querySelector("form[data-chat-state]");
	if (!form) return;
	const look = async () => {
		try {
			const answer = await fetch(form.dataset.chatState, { headers: { "X-Trivium-Part": "state" } });
			const state = answer.ok ? (await answer.json()).state : "late";
			if (state !== "waiting") {
				form.requestSubmit();
				return;
			}
		} catch {
			// The connection is gone for a moment.
		}
		setTimeout(look, 1500);
	};
	setTimeout(look, 1500);
}
