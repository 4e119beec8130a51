// Forms that send JSON to the API and show its response: of the browsable API and of the reference.
"use strict";

/** The values of the form: {sent} for the body, {query} and {path} for the URL. Throws {fields} for bad JSON. */
function read(form) {
  const sent = {}, query = {}, path = {}, problems = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.dataset.kind === "array" && field.type === "checkbox") {
      sent[field.name] ??= [];
      if (field.checked) sent[field.name].push(field.value);
    } else if (field.dataset.where === "query") {
      if (field.value) query[field.name] = field.value;
    } else if (field.dataset.where === "path") {
      path[field.name] = field.value;
    } else {
      try {
        sent[field.name] = valueOf(field);
      } catch {
        problems[field.name] = ["This is not valid JSON."];
      }
    }
  }
  if (Object.keys(problems).length) throw { fields: problems };
  return { sent, query, path };
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
    input?.setAttribute("aria-errormessage", (line.id = `${input.id}-error`));
    first ??= input;
  }
  first?.focus();
}

/** Fills `outcome` with a response: status and links, the request as curl where there is one, headers, body. */
function showResponse(outcome, response, data, curl = "") {
  const line = document.createElement("p");
  line.className = response.ok ? "note" : "note bad";
  const word = document.createElement("strong");
  word.textContent = `${response.status} ${response.statusText}`;
  line.append(word, data?.message ? `: ${data.message} ` : " ");
  const where = response.headers.get("Location");
  if (where) line.append(link(new URL(where, location.href).pathname, "Open"));
  if (!curl && response.ok && response.status !== 204) line.append(" ", link(location.pathname + location.search, "Reload this page"));
  if (data?.doc_url) line.append(link(new URL(data.doc_url).pathname + new URL(data.doc_url).hash, "Cause and fix"));
  const id = response.headers.get("X-Request-ID");
  const request = document.createElement("p");
  request.className = "small muted";
  if (id) request.append("Request id: ", code(id));
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  outcome.replaceChildren(line, request, ...(curl ? [folded("Request as curl", curl)] : []), folded("Response headers", headers));
  if (data !== null) outcome.append(block(typeof data === "string" ? data : JSON.stringify(data, null, 2)));
}

function block(text) {
  const body = document.createElement("pre");
  body.tabIndex = 0;
  body.textContent = text;
  return body;
}

function folded(title, text) {
  const details = document.createElement("details");
  details.className = "headers";
  const summary = document.createElement("summary");
  summary.textContent = title;
  details.append(summary, block(text));
  return details;
}

function code(text) {
  const element = document.createElement("code");
  element.textContent = text;
  return element;
}

function link(address, text) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.textContent = text;
  return anchor;
}
