// What somebody drops or chooses: files with the path below the folder that they lie in.

const entryFile = (entry) => new Promise((ok, no) => entry.file(ok, no));
const entryList = (reader) => new Promise((ok, no) => reader.readEntries(ok, no));

// chosen are the files of an input; those of a folder bring its path.
export const chosen = (input) => [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));

// carries says that a drag brings files.
export const carries = (e) => [...(e.dataTransfer?.types ?? [])].includes("Files");

// dropped reads what was dropped, folders to their ends. told hears how many there are so far; signal
// stops it. The entries are taken before the first wait: afterwards the browser has forgotten them.
export async function dropped(transfer, told, signal) {
	const entries = [...transfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
	if (entries.length === 0) return [...transfer.files].map((file) => ({ file, name: file.name }));
	const list = [];
	const read = async (entry, path) => {
		if (signal.aborted) return;
		const name = path + entry.name;
		if (entry.isFile) {
			list.push({ file: await entryFile(entry), name });
			told(list.length);
			return;
		}
		const reader = entry.createReader();
		for (let some = await entryList(reader); some.length > 0 && !signal.aborted; some = await entryList(reader)) {
			for (const e of some) await read(e, `${name}/`);
		}
	};
	for (const e of entries) await read(e, "");
	return signal.aborted ? [] : list;
}
