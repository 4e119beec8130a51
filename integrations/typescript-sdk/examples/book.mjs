// Books the first free time of the first service for the first customer.

import { errors, KaiVox } from "kaivox";

const kaivox = new KaiVox();
const service = await kaivox.services.list().first();
const customer = await kaivox.customers.list().first();
const { data, meta } = await kaivox.slots.list({ service_id: service.id, limit: 1 });
const { start_time } = data[0] ?? meta.next_available;
try {
  const booked = await kaivox.appointments.create({
    customer_id: customer.id,
    service_id: service.id,
    start_time,
  });
  console.log("booked:", booked.service, "with", booked.staff_name, "at", booked.start_time);
} catch (error) {
  if (!(error instanceof errors.SlotUnavailable)) throw error;
  console.log("Not free any more. Instead:", error.alternatives);
}
