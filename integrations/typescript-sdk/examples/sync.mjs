// Prints what changed since the last run: appointments and customers at once.

import { readFile, writeFile } from "node:fs/promises";

import { KaiVox } from "kaivox";

const STATE = process.env.STATE_FILE ?? "kaivox-state.json";
const kaivox = new KaiVox();
const state = JSON.parse(await readFile(STATE, "utf8").catch(() => "{}"));

async function appointments() {
  const changes = kaivox.appointments.sync(state.appointments);
  for await (const { id, start_time, status } of changes) console.log(id, start_time, status);
  return changes.updatedSince;
}

async function customers() {
  const changes = kaivox.customers.sync(state.customers);
  for await (const { id, name } of changes) console.log(id, name);
  return changes.updatedSince;
}

const [bookings, people] = await Promise.all([appointments(), customers()]);
await writeFile(STATE, JSON.stringify({ appointments: bookings, customers: people }));
