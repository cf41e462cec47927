// Elements from data, never from markup.

// make is an element with properties, data and children; strings become text.
export function make(tag, { data = {}, ...props } = {}, ...children) {
	const e = Object.assign(document.createElement(tag), props);
	Object.assign(e.dataset, data);
	e.append(...children);
	return e;
}

// ask shows a dialog until a button is pressed and gives that button's value; "" for Escape.
export function ask(title, body, buttons) {
	return new Promise((resolve) => {
		const head = make("h2", { id: "asked" }, title);
		const row = make("p", { className: "actions" });
		const dialog = make("dialog", {}, head, ...body, row);
		dialog.setAttribute("aria-labelledby", head.id);
		for (const [value, label, className = ""] of buttons) {
			const b = make("button", { type: "button", className }, label);
			b.addEventListener("click", () => dialog.close(value));
			row.append(b);
		}
		dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue); });
		document.body.append(dialog);
		dialog.showModal();
		row.querySelector("button").focus();
	});
}

const units = ["bytes", "kB", "MB", "GB", "TB"];

// bytes is a size in words, as the pages have it.
export function bytes(n) {
	let i = 0;
	for (; n >= 999.5 && i < units.length - 1; i++) n /= 1000;
	return `${i === 0 || n >= 99.5 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

// span is a time that is left, in words.
export const span = (s) => (s < 90 ? `${Math.ceil(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);
