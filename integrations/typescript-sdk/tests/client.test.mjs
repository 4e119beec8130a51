import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { APIConnectionError, APITimeoutError, errors, KaiVox, KaiVoxError, responseInfo } from "kaivox";

import { envelope, failure, KEY, scripted } from "./server.mjs";

const ROW = { id: 7, updated_at: "2026-03-02T10:00:00Z" };

test("sends a key, a JSON body and an idempotency key", async (t) => {
  const { client, requests } = await scripted(t, [[201, envelope(ROW)]]);
  const start_time = new Date("2026-03-02T10:00:00Z");
  const made = await client.appointments.create({ customer_id: 1, service_id: 2, start_time });
  assert.deepEqual(made, ROW);
  const [{ method, url, headers, body }] = requests;
  assert.deepEqual([method, url], ["POST", "/api/v1/appointments"]);
  assert.equal(headers.authorization, `Bearer ${KEY}`);
  assert.match(headers["idempotency-key"], /^[0-9a-f]{32}$/);
  assert.deepEqual(body, { customer_id: 1, service_id: 2, start_time: "2026-03-02T10:00:00.000Z" });
});

test("separates query and body", async (t) => {
  const { client, requests } = await scripted(t, [[200, envelope(ROW)]]);
  await client.customers.create({ name: "Asha", email: "asha@example.com", on_existing: "return" });
  assert.equal(requests[0].url, "/api/v1/customers?on_existing=return");
  assert.deepEqual(requests[0].body, { name: "Asha", email: "asha@example.com" });
});

test("tells status, request id and ETag of an object", async (t) => {
  const headers = { ETag: '"a"', "X-Request-ID": "req_9", "Idempotent-Replayed": "true" };
  const { client, requests } = await scripted(t, [
    [200, envelope(ROW), headers],
    [200, envelope(ROW)],
  ]);
  const read = await client.customers.get(7);
  const expected = { status: 200, requestId: "req_9", etag: '"a"', isReplay: true };
  assert.deepEqual(responseInfo(read), expected);
  await client.customers.update(7, { notes: "" }, { ifMatch: '"a"' });
  assert.equal(requests[1].headers["if-match"], '"a"');
});

test("repeats with the same idempotency key after Retry-After", async (t) => {
  const { client, requests } = await scripted(t, [
    [429, failure("rate_limit_exceeded"), { "Retry-After": "0" }],
    [503, failure("service_unavailable"), { "Retry-After": "0" }],
    [409, failure("idempotency_in_progress"), { "Retry-After": "0" }],
    [201, envelope(ROW)],
  ]);
  await client.holds.create({ service_id: 1, start_time: "2026-03-02T10:00:00Z" });
  assert.equal(new Set(requests.map(({ headers }) => headers["idempotency-key"])).size, 1);
  assert.equal(requests.length, 4);
});

test("repeats after a broken connection", async (t) => {
  const { client, requests } = await scripted(t, ["broken", [200, envelope(ROW)]]);
  await client.customers.get(7);
  assert.equal(requests.length, 2);
});

test("does not repeat a conditional change that may have happened", async (t) => {
  const { client, requests } = await scripted(t, ["broken"]);
  const change = client.customers.update(7, { notes: "" }, { ifMatch: '"a"' });
  await assert.rejects(change, APIConnectionError);
  assert.equal(requests.length, 1);
});

const gone = [404, failure("not_found")];
const busy = (status) => [status, failure("busy"), { "Retry-After": "0" }];

for (const [name, responses] of [
  ["a broken connection", ["broken", gone]],
  ["a proxy's timeout", [[504, "<h1>No</h1>", { "Retry-After": "0" }], gone]],
  ["a broken connection and a full quota", ["broken", busy(429), gone]],
]) {
  test(`a deletion has succeeded where it is repeated after ${name}`, async (t) => {
    const { client, requests } = await scripted(t, responses);
    assert.equal(await client.webhooks.delete(7), undefined);
    assert.equal(requests.length, responses.length);
  });
}

for (const [name, responses] of [
  ["at once", [gone]],
  ["after a full quota", [busy(429), gone]],
  ["after an unavailable database", [busy(503), gone]],
  ["as a proxy's page", ["broken", [404, "<h1>No</h1>"]]],
]) {
  test(`a deletion throws where not found is said ${name}`, async (t) => {
    const { client, requests } = await scripted(t, responses);
    await assert.rejects(client.webhooks.delete(7), { status: 404 });
    assert.equal(requests.length, responses.length);
  });
}

test("a repeated read throws where nothing is found", async (t) => {
  const { client } = await scripted(t, ["broken", gone, "broken", gone]);
  await assert.rejects(client.webhooks.get(7), errors.NotFound);
  await assert.rejects(client.appointments.cancel(7), errors.NotFound);
});

test("throws a quota that is used up for the day", async (t) => {
  const over = [429, failure("rate_limit_exceeded"), { "Retry-After": "40000" }];
  const { client, requests } = await scripted(t, [over]);
  await assert.rejects(client.business.get(), { name: "RateLimitExceeded", retryAfter: 40000 });
  assert.equal(requests.length, 1);
});

test("throws errors by code", async (t) => {
  const alternatives = [{ start_time: "2026-03-02T11:00:00Z" }];
  const { client, requests } = await scripted(t, [
    [409, failure("slot_unavailable", { alternatives })],
  ]);
  const call = client.appointments.create({ customer_id: 1, service_id: 2 });
  const error = await call.catch((thrown) => thrown);
  assert(error instanceof errors.SlotUnavailable);
  assert(error instanceof errors.ConflictError);
  const { status, code, requestId, docUrl } = error;
  assert.deepEqual([status, code, requestId], [409, "slot_unavailable", "req_2"]);
  assert.equal(docUrl, "https://kaivox.example/docs/errors#slot_unavailable");
  assert.deepEqual(error.alternatives, alternatives);
  assert.deepEqual(error.errors, { start_time: ["Not so."] });
  assert.equal(error.message, "409 slot_unavailable: No. [req_2]\n  start_time: Not so.");
  assert.equal(requests.length, 1);
});

for (const [status, content, kind] of [
  [422, failure("a_new_code"), errors.UnprocessableError],
  [404, failure("constructor"), errors.NotFoundError],
  [413, "<h1>Too large</h1>", errors.BadRequestError],
  [505, "<h1>No</h1>", errors.ServerError],
  [302, "", errors.BadRequestError],
]) {
  test(`throws ${kind.name} for ${status} without a known code`, async (t) => {
    const { client } = await scripted(t, [[status, content, { Location: "/elsewhere" }]]);
    const error = await client.business.get().catch((thrown) => thrown);
    assert.equal(error.constructor, kind);
  });
}

test("throws for a page instead of JSON", async (t) => {
  const { client } = await scripted(t, [[200, "<h1>Welcome</h1>"]]);
  await assert.rejects(client.business.get(), KaiVoxError);
});

test("throws where no response arrives in time", async (t) => {
  const options = { timeoutSeconds: 0.05, maxRetries: 0 };
  const { client } = await scripted(t, ["silent"], options);
  await assert.rejects(client.business.get(), APITimeoutError);
});

test("stops between tries when it is aborted", async (t) => {
  const { client, requests } = await scripted(t, [
    [503, failure("service_unavailable"), { "Retry-After": "60" }],
  ]);
  const controller = new AbortController();
  const call = client.business.get({ signal: controller.signal });
  while (requests.length === 0) await new Promise((next) => setTimeout(next, 5));
  controller.abort();
  await assert.rejects(call, { name: "AbortError" });
});

test("shows the key nowhere", async (t) => {
  const { client } = await scripted(t, [[401, failure("invalid_api_key")], "broken"], { maxRetries: 0 });
  const shown = [inspect(client, { depth: 9, showHidden: true }), JSON.stringify(client)];
  for (let call = 0; call < 2; call += 1) {
    const error = await client.business.get().catch((thrown) => thrown);
    assert(error instanceof KaiVoxError);
    shown.push(inspect(error, { depth: 9, showHidden: true }));
  }
  assert(!shown.join().includes("SECRET"));
});

test("sandbox accepts only a key of that kind", () => {
  const test_key = KEY.replace("live", "test");
  assert.equal(new KaiVox({ apiKey: test_key, sandbox: true }).livemode, false);
  assert.equal(new KaiVox({ apiKey: KEY, sandbox: false }).livemode, true);
  for (const options of [
    { apiKey: KEY, sandbox: true },
    { apiKey: test_key, sandbox: false },
    { apiKey: "sk_live_SECRET" },
    { apiKey: `${KEY}\nSECRET` },
    { apiKey: "" },
  ]) {
    assert.throws(
      () => new KaiVox(options),
      (error) => error instanceof KaiVoxError && !error.message.includes("SECRET"),
    );
  }
});
