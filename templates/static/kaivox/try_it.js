// "Try it" of the reference: sends requests with the reader's API key, which is stored for this tab alone
// (sessionStorage). Empty fields are filled with rows of the business that the key belongs to.
"use strict";

const keyForm = document.querySelector("form[data-key]");
const keyField = keyForm.elements.key;
const keyState = keyForm.querySelector("[role=status]");
let rows = {}; // path → promise of the list's rows

function apiKey() {
  try { return sessionStorage.getItem("api-key") || keyField.value; } catch { return keyField.value; }
}

function call(path, options = {}) {
  return fetch(path, {
    ...options,
    credentials: "omit", // as a program would call it, without the session of this browser
    headers: { Accept: "application/json", "X-API-Key": apiKey(), ...options.headers },
  });
}

async function useKey() {
  rows = {};
  const response = await call("/api/v1/business");
  const { data, message } = await response.json();
  keyState.className = response.ok ? "note" : "note bad";
  keyState.textContent = response.ok ? `Requests are sent for ${data.name}. The key is forgotten when this tab is closed.` : message;
  if (!response.ok) return false;
  try { sessionStorage.setItem("api-key", apiKey()); } catch { /* then it applies to this page only */ }
  keyField.value = apiKey();
  await Promise.all([...document.querySelectorAll("details.try[open] form")].map(fill));
  return true;
}

keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  try { sessionStorage.removeItem("api-key"); } catch { /* nothing was stored */ }
  keyField.value = keyField.value.trim();
  useKey().catch((error) => { keyState.textContent = `The request failed: ${error.message}`; });
});

/** The rows of a list, read once; [] where the key may not read them. */
function list(path) {
  rows[path] ??= call(`/api/v1${path}`)
    .then((response) => (response.ok ? response.json() : { data: [], meta: {} }))
    .then(({ data, meta }) => (data.length || !meta.next_available ? data : [meta.next_available]));
  return rows[path];
}

async function bookable() {
  return (await list("/services?per_page=100")).find((service) => service.staff_ids.length);
}

async function slot() {
  const service = await bookable();
  return service && (await list(`/appointments/slots?service_id=${service.id}`))[0];
}

async function appointment() {
  return (await list("/appointments?per_page=1&status=scheduled&ordering=-start_time"))[0];
}

/** Values by the kind of row that a field names. */
const VALUES = {
  appointments: async () => (await appointment())?.id,
  service: async () => (await bookable())?.id,
  services: async () => (await bookable())?.id,
  customer: async () => (await list("/customers?per_page=1"))[0]?.id,
  customers: async () => (await list("/customers?per_page=1"))[0]?.id,
  calls: async () => (await list("/calls?per_page=1"))[0]?.id,
  staff: async () => (await list("/staff?per_page=1"))[0]?.id,
  waitlist: async () => (await list("/waitlist?per_page=1"))[0]?.id,
  resources: async () => (await list("/resources?per_page=1"))[0]?.id,
  closures: async () => (await list("/closures?per_page=1"))[0]?.id,
  calendars: async () => (await list("/calendars?per_page=1"))[0]?.id,
  events: async () => (await list("/events?per_page=1"))[0]?.id,
  series: async () => (await list("/appointments/series?per_page=1"))[0]?.id,
  visits: async () => (await list("/visits?per_page=1"))[0]?.id,
  holds: async () => (await list("/appointments/holds?per_page=1"))[0]?.id,
  webhooks: async () => (await list("/webhooks?per_page=1"))[0]?.id,
  deliveries: async () => (await list("/webhooks/deliveries?per_page=1"))[0]?.id,
  visit: async () => JSON.stringify([{ service_id: (await bookable())?.id }]),
  slot: async () => (await slot())?.start_time,
  "slot-end": async () => (await slot())?.end_time,
  day: async () => (await slot())?.date,
  move: async () => {
    const moved = await appointment();
    return moved && (await list(`/appointments/slots?service_id=${moved.service_id}&staff_id=${moved.staff_id}`))[0]?.start_time;
  },
  "new-phone": async () => `+9198${String(Math.floor(1e7 + Math.random() * 9e7))}`,
  "new-email": async () => `asha.${newKey().slice(0, 6)}@example.com`,
};

async function fill(form) {
  if (!apiKey()) return;
  for (const field of form.querySelectorAll("[data-fill]")) {
    if (!field.value) field.value = (await VALUES[field.dataset.fill]?.()) ?? "";
  }
}

for (const details of document.querySelectorAll("details.try")) {
  details.addEventListener("toggle", () => { if (details.open) fill(details.querySelector("form")).catch(() => {}); });
}

for (const form of document.querySelectorAll("form[data-try]")) {
  let idempotencyKey = newKey();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearErrors(form);
    const outcome = form.querySelector(".outcome");
    if (!apiKey()) {
      keyState.className = "note bad";
      keyState.textContent = "Paste an API key first.";
      return keyField.focus();
    }
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await fill(form);
      const { sent, query, path } = read(form);
      const missing = Object.keys(path).filter((name) => !path[name]);
      if (missing.length) throw { fields: Object.fromEntries(missing.map((name) => [name, ["Enter a value: none was found in your data."]])) };
      const method = form.dataset.try;
      const search = new URLSearchParams(query).toString();
      const address = form.dataset.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(path[name])) + (search && `?${search}`);
      const body = withoutEmpty(sent);
      const options = { method, headers: {} };
      if (method === "POST") options.headers["Idempotency-Key"] = idempotencyKey;
      if (method === "POST" || method === "PATCH") {
        options.headers["Content-Type"] = "application/json";
        options.body = JSON.stringify(body);
      }
      const response = await call(address, options);
      const text = await response.text();
      let data = text || null;
      try { data = JSON.parse(text); } catch { /* an export, shown as it is */ }
      idempotencyKey = newKey();
      rows = {}; // a booked slot is not offered again
      showResponse(outcome, response, data, asCurl(method, address, options, body));
      if (data?.errors) showErrors(form, data.errors);
      if (response.ok && method !== "GET") form.querySelectorAll("[data-fill]").forEach((field) => { if (/^(slot|move|new-|holds)/.test(field.dataset.fill)) field.value = ""; });
    } catch (error) {
      if (error.fields) showErrors(form, error.fields);
      else outcome.textContent = `The request failed: ${error.message}`;
    } finally {
      button.disabled = false;
    }
  });
}

function asCurl(method, address, { headers, body }, sent) {
  const lines = [`curl ${method === "GET" ? "" : `-X ${method} `}'${location.origin}${address}'`, '  -H "X-API-Key: $KAIVOX_API_KEY"'];
  for (const [name, value] of Object.entries(headers)) lines.push(`  -H '${name}: ${value}'`);
  if (body) lines.push(`  -d '${JSON.stringify(sent, null, 2).replaceAll("'", "'\\''")}'`);
  return lines.join(" \\\n");
}

if (apiKey()) useKey().catch(() => {});
