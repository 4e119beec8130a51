import createClient from "openapi-fetch";
import type { components, paths } from "./api";

const client = createClient<paths>({ baseUrl: "http://127.0.0.1:8000", headers: { "X-API-Key": "kv_live_xxxxxxxxxx" } });

export async function book(): Promise<string> {
  const slots = await client.GET("/api/v1/appointments/slots", { params: { query: { service_id: 1 } } });
  const first = slots.data?.data[0];
  if (!first) throw new Error(slots.error?.code ?? String(slots.data?.meta.next_available?.start_time));
  const booked = await client.POST("/api/v1/appointments", {
    params: { header: { "Idempotency-Key": "k-1" } },
    body: { customer_id: 1, service_id: 1, start_time: first.start_time },
  });
  if (booked.error) throw new Error(`${booked.error.code}: ${booked.error.message}`);
  const appointment: components["schemas"]["Appointment"] = booked.data.data;
  return appointment.status;
}

export type Booked = components["schemas"]["AppointmentBookedEvent"];
export const priceOf = (event: Booked): string => event.data.price;
