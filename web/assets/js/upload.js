// Uploads with progress and by dropping files on the page. The form is the same one that works
// without script; each file is sent by itself, so that one refusal does not stop the others.

function item(queue, name) {
	const p = document.createElement("div");
	p.dataset.testid = "upload-item";
	p.dataset.name = name;
	p.dataset.state = "waiting";
	const label = document.createElement("p");
	label.className = "small";
	label.textContent = name;
	const bar = document.createElement("progress");
	bar.max = 100;
	bar.value = 0;
	bar.setAttribute("aria-label", name);
	p.append(label, bar);
	queue.append(p);
	return {
		progress(n) { p.dataset.state = "sending"; bar.value = n; label.textContent = `${name}: ${Math.round(n)} %`; },
		end(ok, text) { p.dataset.state = ok ? "done" : "failed"; bar.value = ok ? 100 : bar.value; label.textContent = `${name}: ${text}`; },
	};
}

function send(form, file, row) {
	return new Promise((resolve) => {
		const data = new FormData();
		data.append("csrf", form.elements.csrf.value);
		if (form.elements.replace.checked) data.append("replace", "1");
		data.append("file", file, file.name);
		const x = new XMLHttpRequest();
		x.open("POST", form.action);
		x.setRequestHeader("X-Trivium-Part", "upload");
		x.responseType = "document";
		x.upload.onprogress = (e) => { if (e.lengthComputable) row.progress((e.loaded / e.total) * 100); };
		x.onload = () => {
			const failed = x.response?.querySelector("[data-testid=flash-error], [data-testid=upload-error]");
			const ok = x.status === 200 && !failed && !x.responseURL.includes("/login");
			const text = ok ? "uploaded" : failed?.textContent.trim() || x.response?.querySelector("main p")?.textContent || "not uploaded";
			row.end(ok, text);
			resolve(ok ? x.response : null);
		};
		x.onerror = () => { row.end(false, "not uploaded: the connection broke or the server refused. Try again."); resolve(null); };
		x.send(data);
	});
}

// showFolder puts the table of a fetched page in the place of this page's.
function showFolder(page) {
	const fresh = page.querySelector(".scroll");
	const old = document.querySelector(".scroll, [data-testid=empty-state]");
	if (fresh && old) old.replaceWith(document.importNode(fresh, true));
}

export function upload(say) {
	const form = document.querySelector("form[data-upload]");
	const queue = document.querySelector("[data-queue]");
	if (!form || !queue) return;
	let running = false;
	const start = async (files) => {
		if (running || files.length === 0) return;
		running = true;
		queue.hidden = false;
		queue.replaceChildren();
		const rows = files.map((f) => item(queue, f.name));
		let bad = 0;
		let last = null;
		for (const [i, f] of files.entries()) {
			const page = await send(form, f, rows[i]);
			if (page) last = page;
			else bad++;
		}
		running = false;
		const text = `${files.length - bad} uploaded${bad ? `, ${bad} failed` : ""}`;
		say(text);
		const line = document.createElement("p");
		line.textContent = text;
		queue.append(line);
		form.elements.file.value = "";
		if (last) showFolder(last);
	};
	form.addEventListener("submit", (e) => {
		const files = [...form.elements.file.files];
		if (files.length === 0) return;
		e.preventDefault();
		start(files);
	});
	const carries = (e) => [...(e.dataTransfer?.types ?? [])].includes("Files");
	addEventListener("dragover", (e) => { if (carries(e)) { e.preventDefault(); form.closest("details").open = true; form.classList.add("over"); } });
	addEventListener("dragleave", (e) => { if (!e.relatedTarget) form.classList.remove("over"); });
	addEventListener("drop", (e) => {
		if (!carries(e)) return;
		e.preventDefault();
		form.classList.remove("over");
		form.closest("details").open = true;
		start([...e.dataTransfer.files]);
	});
}
