/** A program that uses every resource of the TypeScript SDK against a running server. */

import { errors, KaiVox, responseInfo, type Appointment, type Slot } from "kaivox";

declare const process: { argv: string[] };

function check(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`Not so: ${what}`);
}

async function thrown<E extends Error>(
  kind: new (...parts: never[]) => E,
  call: Promise<unknown>,
): Promise<E> {
  try {
    await call;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error(`${kind.name} was not thrown`);
}

async function book(kaivox: KaiVox): Promise<void> {
  const asha = { name: "Asha Rao", phone: "098765 43210" };
  const made = await kaivox.customers.create(asha, { idempotencyKey: "C-1" });
  check(made.phone === "+919876543210", "phone");
  const again = await kaivox.customers.create(asha, { idempotencyKey: "C-1" });
  check(again.id === made.id && responseInfo(again)?.isReplay, "replay");
  const exists = await thrown(errors.CustomerExists, kaivox.customers.create(asha));
  check(exists.meta.existing_id === made.id, "existing_id");
  const existing = await kaivox.customers.create({ ...asha, on_existing: "return" });
  check(existing.id === made.id, "on_existing");
  const service = await kaivox.services.list().first();
  check(service, "service");
  const { data, meta } = await kaivox.slots.list({ service_id: service.id, limit: 3 });
  const slot = data[0] ?? meta.next_available;
  check(slot, "slot");
  const { start_time } = slot;
  const hold = await kaivox.holds.create({ service_id: service.id, start_time });
  check((await kaivox.holds.list().all())[0]?.id === hold.id, "holds");
  const booked = await kaivox.appointments.create({
    customer_id: made.id,
    service_id: service.id,
    hold_id: hold.id,
    metadata: { number: "B-1" },
  });
  check(booked.metadata.number === "B-1", "metadata");
  check(booked.status === "scheduled", "status");
  await move(kaivox, booked, slot);
}

async function move(kaivox: KaiVox, booked: Appointment, slot: Slot): Promise<void> {
  const { etag = "" } = responseInfo(await kaivox.appointments.get(booked.id)) ?? {};
  const start_time = new Date(Date.parse(slot.start_time) + 2 * 3600_000);
  const moved = await kaivox.appointments.update(booked.id, { start_time }, { ifMatch: etag });
  check(Date.parse(moved.start_time) === start_time.getTime(), "moved");
  const late = kaivox.appointments.update(booked.id, { notes: "late" }, { ifMatch: etag });
  await thrown(errors.PreconditionFailed, late);
  const { customer_id, service_id, staff_id } = booked;
  const twice = kaivox.appointments.create({ customer_id, service_id, staff_id, start_time });
  const taken = await thrown(errors.SlotUnavailable, twice);
  check(taken.alternatives.length > 0, "alternatives");
  const cancelled = await kaivox.appointments.cancel(booked.id, { reason: "Test" });
  check(cancelled.cancellation_reason === "Test", "cancelled");
  const hold = await kaivox.holds.create({ service_id, start_time: slot.start_time });
  await kaivox.holds.delete(hold.id);
}

async function read(kaivox: KaiVox): Promise<void> {
  const listed = await kaivox.customers.list().all();
  check(new Set(listed.map(({ id }) => id)).size === listed.length, "each once");
  check(listed.length > 100, "several pages");
  const page = await kaivox.customers.list({ per_page: 5 }).page();
  check(page.data.length === 5 && page.meta.total === listed.length, "page");
  const changes = kaivox.customers.sync();
  let count = 0;
  for await (const { id } of changes) count += id > 0 ? 1 : 0;
  check(count === listed.length, "sync");
  for await (const { id } of kaivox.customers.sync(changes.updatedSince)) count -= id > 0 ? 1 : 0;
  check(count < listed.length, "sync from the last change");
  check((await kaivox.business.get()).api_key?.last_four, "business");
  check((await kaivox.staff.list().first())?.working_hours.length, "staff");
  check((await kaivox.calls.list({ sentiment: "positive" }).first()) === undefined, "calls");
  check((await kaivox.agents.listTools({ provider: "openai" })).data.length > 3, "tools");
  const csv = await kaivox.request("GET", "/customers", { query: { format: "csv" } });
  check(csv.trimEnd().split("\n").length === listed.length + 1, "csv");
  await thrown(errors.NotFound, kaivox.customers.get(999_999_999));
}

async function receive(kaivox: KaiVox, url: string): Promise<void> {
  const types = await kaivox.webhooks.eventTypes();
  check(types.data.some(({ name }) => name === "appointment.booked"), "event types");
  const endpoint = await kaivox.webhooks.create({ url, event_types: ["appointment.booked"] });
  check(endpoint.secret?.startsWith("whsec_"), "secret");
  const delivery = await kaivox.webhooks.test(endpoint.id, { event_type: "appointment.booked" });
  check((await kaivox.deliveries.get(delivery.id)).event_type === "appointment.booked", "delivery");
  check((await kaivox.webhooks.listDeliveries(endpoint.id).all()).length === 1, "deliveries");
  const rotated = await kaivox.webhooks.rotateSecret(endpoint.id);
  check(rotated.secret !== endpoint.secret, "rotated");
  await kaivox.webhooks.delete(endpoint.id);
}

async function follow(kaivox: KaiVox): Promise<void> {
  const cursor = await kaivox.events.end();
  const made = await kaivox.customers.create({ name: "Ravi", phone: "+91 98765 43219" });
  for await (const { event } of kaivox.events.follow({ cursor })) {
    check(event.type === "customer.created" && event.data.id === made.id, "event");
    break;
  }
}

const kaivox = new KaiVox();
await book(kaivox);
await receive(kaivox, process.argv[2] ?? "");
await follow(kaivox);
await read(kaivox);
console.log("used");
