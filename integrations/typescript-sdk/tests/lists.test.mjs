import assert from "node:assert/strict";
import { test } from "node:test";

import { envelope, scripted } from "./server.mjs";

const row = (id, updated_at = "2026-03-02T10:00:00Z") => ({ id, updated_at });
const page = (rows, next_cursor, more = {}) => [200, envelope(rows, { next_cursor, ...more })];
const queryOf = ({ url }) => Object.fromEntries(new URL(url, "http://localhost").searchParams);

test("follows the cursor to the end", async (t) => {
  const { client, requests } = await scripted(t, [page([row(1), row(2)], "c1"), page([row(3)], null)]);
  const ids = [];
  for await (const { id } of client.calls.list({ sentiment: "negative" })) ids.push(id);
  assert.deepEqual(ids, [1, 2, 3]);
  assert.deepEqual(requests.map(queryOf), [
    { per_page: "100", sentiment: "negative", cursor: "" },
    { per_page: "100", sentiment: "negative", cursor: "c1" },
  ]);
});

test("requests no page before it is needed", async (t) => {
  const { client, requests } = await scripted(t, [page([row(1)], "c1")]);
  const list = client.customers.list();
  assert.equal(requests.length, 0);
  for await (const { id } of list) {
    assert.equal(id, 1);
    break;
  }
  assert.equal(requests.length, 1);
});

test("reads one page with its total", async (t) => {
  const { client, requests } = await scripted(t, [page([row(1)], "c1", { total: 40 })]);
  const { data, meta } = await client.customers.list({ per_page: 1, page: 2 }).page();
  assert.deepEqual([data.length, meta.total], [1, 40]);
  assert.deepEqual(queryOf(requests[0]), { per_page: "1", page: "2" });
});

test("joins several values with commas", async (t) => {
  const { client, requests } = await scripted(t, [page([], null)]);
  await client.appointments.list({ status: ["scheduled", "no_show"] }).all();
  assert.equal(queryOf(requests[0]).status, "scheduled,no_show");
});

test("sync repeats the last two seconds and remembers the newest change", async (t) => {
  const { client, requests } = await scripted(t, [
    page([row(1, "2026-03-02T10:00:00Z"), row(2, "2026-03-02T10:00:09Z")], null),
    page([row(2, "2026-03-02T10:00:09Z")], null),
  ]);
  const all = client.appointments.sync();
  for await (const { id } of all) assert(id);
  assert.equal(all.updatedSince, "2026-03-02T10:00:09Z");
  const changed = client.appointments.sync(all.updatedSince, { status: "cancelled" });
  for await (const { id } of changed) assert.equal(id, 2);
  assert.deepEqual(requests.map((request) => queryOf(request).updated_since), [
    "1970-01-01T00:00:00Z",
    "2026-03-02T10:00:07Z",
  ]);
  assert.equal(queryOf(requests[1]).ordering, "updated_at");
});

test("follows events from the newest on", async (t) => {
  const event = (id) => ({ id, type: "customer.created", created_at: "2026-03-02T10:00:00Z" });
  const events = (rows, resume_cursor) => page(rows, null, { resume_cursor });
  const { client, requests } = await scripted(t, [
    events([event("evt_1")], null),
    events([event("evt_1")], "r1"),
    events([], "r1"),
    events([event("evt_2"), event("evt_3")], "r3"),
  ]);
  const followed = client.events.follow({ type: "customer.created" });
  assert.deepEqual((await followed.next()).value, { event: event("evt_2"), cursor: "r1" });
  assert.deepEqual((await followed.next()).value, { event: event("evt_3"), cursor: "r3" });
  const { cursor, wait, type } = queryOf(requests[3]);
  assert.deepEqual([cursor, wait, type], ["r1", "20", "customer.created"]);
});
