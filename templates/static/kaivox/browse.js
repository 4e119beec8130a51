// The forms of the browsable API: they send the same JSON as any client and show the response.
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
    let values;
    try {
      values = read(form);
    } catch (error) {
      return showErrors(form, error.fields);
    }
    const body = method === "PATCH" ? changed(first, values.sent) : withoutEmpty(values.sent);
    const query = new URLSearchParams(values.query).toString();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const headers = { Accept: "application/json", "X-CSRFToken": form.dataset.csrf };
      if (method !== "DELETE") headers["Content-Type"] = "application/json";
      if (method === "POST") headers["Idempotency-Key"] = idempotencyKey;
      if (form.dataset.etag) headers["If-Match"] = form.dataset.etag;
      const response = await fetch(form.dataset.address + (query && `?${query}`), {
        method, headers, body: method === "DELETE" ? undefined : JSON.stringify(body),
      });
      const text = await response.text();
      const data = text ? JSON.parse(text) : null;
      if (response.ok || data?.code === "idempotency_key_reused") idempotencyKey = newKey();
      showResponse(form.querySelector(".outcome"), response, data);
      if (data?.errors) showErrors(form, data.errors);
    } catch (error) {
      form.querySelector(".outcome").textContent = `The request failed: ${error.message}`;
    } finally {
      button.disabled = false;
    }
  });
}

/** Only changed fields; a cleared text is sent as "". */
function changed(before, now) {
  return Object.fromEntries(
    Object.entries(now)
      .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]))
      .map(([name, value]) => [name, value === undefined ? (typeof before[name] === "string" ? "" : null) : value]),
  );
}
