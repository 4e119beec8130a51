// The forms of the browsable API: they send the JSON that any client would send, and show the answer.
"use strict";

for (const form of document.querySelectorAll("form[data-filters]")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) {
      if (field.name && !field.value) field.disabled = true; // `?status=` would be a value of its own
    }
  });
  addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false;
  });
}

for (const form of document.querySelectorAll("form[data-call]")) {
  const first = read(form).sent;
  let idempotencyKey = newKey();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    const method = form.dataset.call;
    let asked;
    try {
      asked = read(form);
    } catch (error) {
      return showErrors(form, error.fields);
    }
    const body = method === "PATCH" ? changed(first, asked.sent) : withoutEmpty(asked.sent);
    const query = new URLSearchParams(asked.query).toString();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const headers = { Accept: "application/json", "X-CSRFToken": form.dataset.csrf };
      if (method !== "DELETE") headers["Content-Type"] = "application/json";
      if (method === "POST") headers["Idempotency-Key"] = idempotencyKey;
      if (form.dataset.etag) headers["If-Match"] = form.dataset.etag;
      const answer = await fetch(form.dataset.address + (query && `?${query}`), {
        method, headers, body: method === "DELETE" ? undefined : JSON.stringify(body),
      });
      const text = await answer.text();
      const data = text ? JSON.parse(text) : null;
      if (answer.ok || data?.code === "idempotency_key_reused") idempotencyKey = newKey();
      show(form, answer, data);
    } catch (error) {
      form.querySelector(".outcome").textContent = `The request did not get through: ${error.message}`;
    } finally {
      button.disabled = false;
    }
  });
}

/** What the form says: {sent} for the body, {query} for the address. Throws {fields} for bad JSON. */
function read(form) {
  const sent = {}, query = {}, problems = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.dataset.kind === "array" && field.type === "checkbox") {
      sent[field.name] ??= [];
      if (field.checked) sent[field.name].push(field.value);
    } else if (field.dataset.where === "query") {
      if (field.value) query[field.name] = field.value;
    } else {
      try {
        sent[field.name] = valueOf(field);
      } catch {
        problems[field.name] = ["This is not valid JSON."];
      }
    }
  }
  if (Object.keys(problems).length) throw { fields: problems };
  return { sent, query };
}

function valueOf(field) {
  const text = field.value;
  switch (field.dataset.kind) {
    case "integer": case "number":
      return text === "" ? undefined : /^-?\d+(\.\d+)?$/.test(text) && Number.isSafeInteger(Math.trunc(Number(text))) ? Number(text) : text;
    case "boolean": return text === "" ? undefined : text === "true";
    case "object": case "array": case "any": return text.trim() === "" ? undefined : JSON.parse(text);
    default: return text === "" ? undefined : text;
  }
}

function withoutEmpty(sent) {
  return Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined && !(Array.isArray(value) && !value.length)));
}

/** Only what the person changed; a text that was emptied is sent as "". */
function changed(before, now) {
  return Object.fromEntries(
    Object.entries(now)
      .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]))
      .map(([name, value]) => [name, value === undefined ? (typeof before[name] === "string" ? "" : null) : value]),
  );
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function clearErrors(form) {
  form.querySelectorAll(".error").forEach((item) => item.remove());
  form.querySelectorAll("[aria-invalid]").forEach((item) => item.removeAttribute("aria-invalid"));
}

function showErrors(form, errors) {
  let first = null;
  for (const [path, lines] of Object.entries(errors)) {
    const box = form.querySelector(`[data-field="${CSS.escape(path.split(".")[0])}"]`);
    if (!box) continue;
    const line = document.createElement("p");
    line.className = "error";
    line.textContent = lines.join(" ");
    box.append(line);
    const input = box.querySelector("input, select, textarea");
    input?.setAttribute("aria-invalid", "true");
    first ??= input;
  }
  first?.focus();
}

function show(form, answer, data) {
  const outcome = form.querySelector(".outcome");
  outcome.replaceChildren();
  const line = document.createElement("p");
  line.className = answer.ok ? "note" : "note bad";
  const word = document.createElement("strong");
  word.textContent = `${answer.status} ${answer.statusText}`;
  line.append(word, data?.message ? `: ${data.message} ` : " ");
  const where = answer.headers.get("Location");
  if (where) line.append(link(new URL(where, location.href).pathname, "Look at it"));
  if (answer.ok && answer.status !== 204) line.append(" ", link(location.pathname + location.search, "Load this page again"));
  if (data?.doc_url) line.append(link(new URL(data.doc_url).pathname + new URL(data.doc_url).hash, "Cause and cure"));
  const body = document.createElement("pre");
  body.tabIndex = 0;
  body.textContent = JSON.stringify(data, null, 2);
  outcome.append(line, body);
  if (data?.errors) showErrors(form, data.errors);
}

function link(address, text) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.textContent = text;
  return anchor;
}
