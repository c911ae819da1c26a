"use strict";
// "Try it": sends a request of the reference with the key that the reader pasted. Hidden until this runs.
// The key is only in its field, which has no name: it is neither stored nor put into a URL.
const key = document.getElementById("api-key");
key.value = ""; // a browser may restore the value after a reload
for (const part of document.querySelectorAll(".key-form, .trial")) part.hidden = false;

for (const form of document.querySelectorAll(".trial form")) {
  const output = form.querySelector(".response");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      show(output, await send(form));
    } catch (problem) {
      output.replaceChildren(element("p", problem.message));
    } finally {
      button.disabled = false;
    }
  });
}

async function send(form) {
  const { method, media } = form.dataset;
  const headers = {};
  if ("takesKey" in form.dataset && key.value.trim()) headers.Authorization = `Bearer ${key.value.trim()}`;
  const body = form.querySelector("textarea")?.value.trim();
  if (body) headers["Content-Type"] = media;
  const started = performance.now();
  const response = await fetch(address(form), { method, headers, body: body || undefined, credentials: "omit", cache: "no-store" });
  const text = await response.text();
  return { response, text, tookMs: Math.round(performance.now() - started) };
}

function address(form) {
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("[data-in-path]")) {
    if (!input.value.trim()) {
      input.focus();
      throw new Error(`Enter ${input.dataset.inPath} first.`);
    }
    path = path.replace(`{${input.dataset.inPath}}`, encodeURIComponent(input.value.trim()));
  }
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("[data-in-query]")) {
    if (input.value) query.set(input.dataset.inQuery, input.value);
  }
  return query.size ? `${path}?${query}` : path;
}

function show(output, { response, text, tookMs }) {
  const headers = [...response.headers].map((header) => header.join(": ")).join("\n");
  output.replaceChildren(
    element("p", `${response.status} ${response.statusText}, ${tookMs} ms`, response.ok ? "state live" : "state revoked"),
    block("Headers", headers),
    ...(text ? [block("Body", pretty(text))] : []),
  );
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function block(label, text) {
  const pre = element("pre", text);
  pre.tabIndex = 0;
  pre.setAttribute("aria-label", label);
  pre.setAttribute("role", "group");
  return pre;
}

function element(name, text, kind = "") {
  const created = document.createElement(name);
  created.textContent = text;
  created.className = kind;
  return created;
}
