// Receives webhooks on port 9000 and prints what happened.

import { createServer } from "node:http";

import { verifyWebhook, WebhookVerificationError } from "kaivox";

const SECRET = process.env.KAIVOX_WEBHOOK_SECRET;

async function receive(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const event = await verifyWebhook(Buffer.concat(chunks), request.headers, SECRET);
  if (event.type === "appointment.booked") {
    console.log("booked:", event.data.service, event.data.start_time);
  } else if (event.type === "call.missed") {
    console.log("missed call from", event.data.from_number);
  }
}

createServer((request, response) => {
  receive(request).then(
    () => response.writeHead(204).end(),
    (error) => response.writeHead(error instanceof WebhookVerificationError ? 400 : 500).end(),
  );
}).listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
