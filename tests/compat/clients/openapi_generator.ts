// Uses the client that openapi-generator makes with typescript-fetch. Arguments: base URL, API key.
import {
  AppointmentsApi,
  Configuration,
  CustomersApi,
  ErrorResponseFromJSON,
  ResponseError,
  ServicesApi,
} from "./client/index";

declare const process: { argv: string[] };

const [basePath, apiKey] = process.argv.slice(2);
const configuration = new Configuration({ basePath, apiKey });
const customers = new CustomersApi(configuration);
const appointments = new AppointmentsApi(configuration);

async function failureOf(call: Promise<unknown>) {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const body = ErrorResponseFromJSON(await error.response.json());
    return { status: error.response.status, code: body.code, fields: Object.keys(body.errors).sort() };
  }
  throw new Error("No error.");
}

async function main() {
  const before = (await customers.listCustomers({ perPage: 5 })).meta.total;
  const asha = { name: "Asha Rao", phone: "+919876543210", metadata: { crm: "C-1" } };
  const { data: made } = await customers.createCustomer({ customerCreate: asha, idempotencyKey: "ts-1" });
  const [service] = (await new ServicesApi(configuration).listServices()).data;
  const slots = await appointments.listSlots({ serviceId: service.id });
  const startTime = (slots.data[0] ?? slots.meta.nextAvailable!).startTime;
  const { data: booked } = await appointments.createAppointment({
    appointmentCreate: { customerId: made.id, serviceId: service.id, startTime },
  });
  const listed = (await customers.listCustomers()).data;

  console.log(
    JSON.stringify({
      before,
      listed: listed.length === 1 && listed[0].id === made.id,
      made: [made.name, made.phone, made.segment, made.metadata, made.lastVisitAt],
      booked: [booked.status, booked.price, booked.startTime.getTime() === startTime.getTime()],
      missing: await failureOf(customers.getCustomer({ id: 999_999 })),
      invalid: await failureOf(customers.createCustomer({ customerCreate: { name: "Ravi" } })),
    }),
  );
}

void main();
