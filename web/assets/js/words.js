// The words of the scripts in the language of the page, which brings them along where it is not English.
let words;

// t is an English text in the language of the page; values stand in the place of {name}.
export function t(english, values = {}) {
	words ??= JSON.parse(document.getElementById("words")?.content.textContent || "{}");
	return (words[english] ?? english).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
