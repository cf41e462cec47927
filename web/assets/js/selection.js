// Ticks in a table: one box for all of them, and how many there are.
import { t } from "./words.js";

export function selections() {
	const form = document.querySelector("form[data-selection]");
	const words = form?.querySelector("[data-selected]");
	const head = document.querySelector("th.tick");
	if (!form || !words || !head) return;
	const none = words.textContent;
	const boxes = () => [...document.querySelectorAll(`.tick input[form="${form.id}"]`)];
	const all = document.createElement("input");
	all.type = "checkbox";
	all.setAttribute("aria-label", t("Tick all of this page"));
	const count = () => {
		const list = boxes();
		const n = list.filter((b) => b.checked).length;
		const text = n ? t("{n} selected:", { n }) : none;
		if (words.textContent !== text) words.textContent = text;
		all.checked = n > 0 && n === list.length;
		all.indeterminate = n > 0 && n < list.length;
	};
	all.addEventListener("change", () => { for (const b of boxes()) b.checked = all.checked; count(); });
	document.addEventListener("change", (e) => { if (e.target !== all && e.target.matches(".tick input")) count(); });
	document.addEventListener("rows", count);
	head.append(all);
	count();
}
