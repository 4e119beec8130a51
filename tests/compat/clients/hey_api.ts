// Uses the client that hey-api makes. Arguments: base URL, API key.
import { createClient, createConfig } from "./client/client";
import {
  createAppointment,
  createCustomer,
  getCustomer,
  listCustomers,
  listServices,
  listSlots,
} from "./client/sdk.gen";
import type { ErrorResponse } from "./client/types.gen";

declare const process: { argv: string[] };

const [baseUrl, auth] = process.argv.slice(2);
const urls: string[] = [];
const client = createClient(createConfig({ baseUrl, auth }));
client.interceptors.request.use((request) => {
  urls.push(request.url);
  return request;
});

function failureOf({ error, response }: { error?: ErrorResponse; response?: Response }) {
  if (!error || !response) throw new Error("No error.");
  return { status: response.status, code: error.code, fields: Object.keys(error.errors).sort() };
}

async function main() {
  const before = (await listCustomers({ client, query: { per_page: 5 }, throwOnError: true })).data.meta.total;
  const body = { name: "Asha Rao", phone: "+919876543210", metadata: { crm: "C-1" } };
  const headers = { "Idempotency-Key": "hey-1" };
  const { data: made } = (await createCustomer({ client, body, headers, throwOnError: true })).data;
  const [service] = (await listServices({ client, throwOnError: true })).data.data;
  const slots = (await listSlots({ client, query: { service_id: service.id }, throwOnError: true })).data;
  const start_time = (slots.data[0] ?? slots.meta.next_available!).start_time;
  const booking = { customer_id: made.id, service_id: service.id, start_time };
  const { data: booked } = (await createAppointment({ client, body: booking, throwOnError: true })).data;
  const listed = (await listCustomers({ client, throwOnError: true })).data.data;
  const missing = failureOf(await getCustomer({ client, path: { id: 999_999 } }));
  const invalid = failureOf(await createCustomer({ client, body: { name: "Ravi" } }));
  if (urls.some((url) => url.includes(auth))) throw new Error("The key is in a URL.");

  console.log(
    JSON.stringify({
      before,
      listed: listed.length === 1 && listed[0].id === made.id,
      made: [made.name, made.phone, made.segment, made.metadata, made.last_visit_at],
      booked: [booked.status, booked.price, booked.start_time === start_time],
      missing,
      invalid,
    }),
  );
}

void main();
